"""Which files have stopped changing: a file that is still being written is never published half."""

import contextlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from headwater.store.manifest import Stamp

__all__ = ["Settling", "open_for_writing"]

SETTLE_S = 1.0
"""A file that was not changed for this long is settled."""
OLD_S = 10.0
"""A file last modified longer ago than this was not being written when it was found."""


@dataclass(slots=True)
class _Watched:
    stamp: Stamp
    since_s: float


class Settling:
    """Files that were seen and wait. Pure: `now_s` and looks at the disk come from outside."""

    def __init__(self, settle_s: float = SETTLE_S) -> None:
        self._settle_s = settle_s
        self._watched: dict[Path, _Watched] = {}
        self._first: set[Path] = set()

    def __len__(self) -> int:
        return len(self._watched)

    def see(
        self, path: Path, stamp: Stamp, now_s: float, now_ns: int, *, is_first: bool = False
    ) -> None:
        """`is_first`: it need not wait until others that settled have been taken."""
        if is_first:
            self._first.add(path)
        known = self._watched.get(path)
        if known is None:
            age_s = (now_ns - max(stamp.modified_ns, stamp.changed_ns)) / 1e9
            since_s = now_s - self._settle_s if age_s > OLD_S else now_s
            self._watched[path] = _Watched(stamp, since_s)
        elif known.stamp != stamp:
            self._watched[path] = _Watched(stamp, now_s)

    def forget(self, path: Path) -> None:
        self._watched.pop(path, None)
        self._first.discard(path)

    def items(self) -> list[tuple[Path, Stamp]]:
        return [(path, watched.stamp) for path, watched in self._watched.items()]

    def due(self, now_s: float, most: int) -> list[Path]:
        """Files that were still for long enough when last seen: to be looked at once more.

        Shape: those that come first, and at most `most` others."""
        latest_s = now_s - self._settle_s
        first = [path for path in self._first if self._watched[path].since_s <= latest_s]
        others = (
            path
            for path, watched in self._watched.items()
            if watched.since_s <= latest_s and path not in self._first
        )
        return first + list(islice(others, most))

    def is_still(self, path: Path, stamp: Stamp, now_s: float) -> bool:
        """Whether the second look found what the first did; if not, the file waits anew."""
        known = self._watched.get(path)
        if known is None or known.stamp == stamp:
            return known is not None
        self.put_off(path, stamp, now_s)
        return False

    def put_off(self, path: Path, stamp: Stamp, now_s: float) -> None:
        """Somebody is at it."""
        self._watched[path] = _Watched(stamp, now_s)


def open_for_writing(stamps: Iterable[Stamp]) -> set[int]:
    """The inodes among these that a process of this user holds open for writing. Blocks.

    Only where /proc tells (Linux); elsewhere, and for other users' processes, the empty set."""
    wanted = {stamp.inode for stamp in stamps}
    found: set[int] = set()
    try:
        processes = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return found
    for process in processes:
        found |= _written_by(f"/proc/{process}", wanted)
    return found


def _written_by(process: str, wanted: set[int]) -> set[int]:
    found: set[int] = set()
    try:
        numbers = os.listdir(f"{process}/fd")
    except OSError:
        return found  # it ended, or is not ours to look at
    for number in numbers:
        with contextlib.suppress(OSError):
            status = os.stat(f"{process}/fd/{number}")
            if status.st_ino in wanted and stat.S_ISREG(status.st_mode):
                how = os.lstat(f"{process}/fd/{number}").st_mode  # the link's rights tell
                if how & stat.S_IWUSR:
                    found.add(status.st_ino)
    return found
