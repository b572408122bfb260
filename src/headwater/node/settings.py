"""What the owner changed while the node ran, kept in the state folder: nobody's own file is
rewritten.

At the next start it wins over the settings file, and what that start itself says (a flag, the
environment) wins over it: `cli/settings.py` merges them."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from headwater.errors import LocalUsageError
from headwater.node.config import MAX_NAME, Config, is_name
from headwater.store.durable import replace_file, write_error

__all__ = ["FILE_NAME", "KEPT", "Changes", "KeptSettings", "read_kept"]

FILE_NAME = "settings.json"
KEPT = ("name", "limits.up_bytes_per_s", "limits.down_bytes_per_s")
MAX_BYTES_PER_S = 2**53


@dataclass(frozen=True, slots=True)
class Changes:
    """What is wished otherwise; None: as it is. `name` "" is the machine's own, a limit of 0 none.

    Units: bytes a second."""

    name: str | None = None
    up_bytes_per_s: int | None = None
    down_bytes_per_s: int | None = None

    def by_key(self) -> dict[str, object]:
        """Those that are wished, as the settings file has them. Raises: LocalUsageError."""
        if self.name is not None and not is_name(self.name.strip()):
            raise LocalUsageError(
                f"a machine's name is one line of at most {MAX_NAME} characters: shorten it"
            )
        for rate in (self.up_bytes_per_s, self.down_bytes_per_s):
            if rate is not None and not 0 <= rate <= MAX_BYTES_PER_S:
                raise LocalUsageError("a limit is bytes a second, and 0 for none: not less")
        name = None if self.name is None else self.name.strip()
        wished = dict(zip(KEPT, (name, self.up_bytes_per_s, self.down_bytes_per_s), strict=True))
        return {key: value for key, value in wished.items() if value is not None}

    def applied(self, config: Config) -> Config:
        """The configuration with these changes."""
        limits, up, down = config.limits, self.up_bytes_per_s, self.down_bytes_per_s
        limits = replace(
            limits,
            up_bytes_per_s=limits.up_bytes_per_s if up is None else up,
            down_bytes_per_s=limits.down_bytes_per_s if down is None else down,
        )
        name = config.name if self.name is None else self.name.strip()
        return replace(config, name=name, limits=limits)


class KeptSettings:
    """The file of them. From the event loop's thread only."""

    def __init__(self, state: Path) -> None:
        self._file = state / FILE_NAME
        self._turn = asyncio.Lock()

    async def add(self, changes: Changes) -> None:
        """Kept once this returns. Raises: LocalUsageError, StorageFull, OSError: nothing is."""
        wished = changes.by_key()
        async with self._turn:
            await asyncio.to_thread(self._write, {**read_kept(self._file.parent), **wished})

    def _write(self, kept: Mapping[str, object]) -> None:
        try:
            replace_file(self._file, json.dumps(kept, ensure_ascii=False, indent=1).encode())
        except OSError as error:
            raise write_error(error, self._file) from error


def read_kept(state: Path) -> dict[str, object]:
    """What was ever changed, by its key. Blocking. Raises: LocalUsageError when it is damaged."""
    file = state / FILE_NAME
    try:
        kept = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise LocalUsageError(
            f"{file} cannot be read ({error}): delete it, then set on the page what was set there"
        ) from error
    if not isinstance(kept, dict):
        raise LocalUsageError(f"{file} holds no settings: delete it")
    return kept
