"""Whom the owner blocked: kept in the state folder until the owner unblocks."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from headwater.errors import LocalUsageError, RemoteProtocolError
from headwater.store.durable import replace_file, write_error
from headwater.wire.ids import NodeId, parse_hex_id

__all__ = ["FILE_NAME", "MAX_BLOCKED", "Blocklist"]

FILE_NAME = "blocked.json"
MAX_BLOCKED = 4096


class Blocklist(Mapping[NodeId, str]):
    """Each blocked node with the name that it had. Shape: at most MAX_BLOCKED.

    Raises: LocalUsageError when the file is damaged: nobody is let in by an accident."""

    def __init__(self, state: Path) -> None:
        """Blocking."""
        self._file = state / FILE_NAME
        try:
            self._names = _parse(self._file.read_bytes())
        except FileNotFoundError:
            self._names = {}
        except (OSError, ValueError, TypeError) as error:
            raise LocalUsageError(
                f"the list of blocked machines {self._file} cannot be read ({error}): "
                "delete it, then block again whom you do not want"
            ) from error

    def __getitem__(self, node: NodeId) -> str:
        return self._names[node]

    def __iter__(self) -> Iterator[NodeId]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def add(self, node: NodeId, name: str) -> None:
        """In force once this returns or raises StorageFull, OSError: then until the node stops.

        Raises: LocalUsageError past MAX_BLOCKED."""
        if node not in self._names and len(self._names) >= MAX_BLOCKED:
            raise LocalUsageError(f"{MAX_BLOCKED} machines are blocked already: unblock some first")
        self._names[node] = name
        self._save()

    def remove(self, node: NodeId) -> None:
        """As add(). Nothing happens when it is not blocked."""
        if self._names.pop(node, None) is not None:
            self._save()

    def _save(self) -> None:
        names = {node.hex(): name for node, name in self._names.items()}
        try:
            replace_file(self._file, json.dumps(names, ensure_ascii=False, indent=1).encode())
        except OSError as error:
            raise write_error(error, self._file) from error


def _parse(text: bytes) -> dict[NodeId, str]:
    """Raises: ValueError, TypeError."""
    names = json.loads(text)
    if not isinstance(names, dict):
        raise TypeError("it holds no list")
    try:
        return {NodeId(parse_hex_id(key)): str(name) for key, name in names.items()}
    except RemoteProtocolError as error:
        raise ValueError(str(error)) from error
