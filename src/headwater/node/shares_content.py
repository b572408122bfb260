"""Which paths hold a video, and where a file lay when it was last seen."""

from collections import defaultdict
from pathlib import Path

from headwater.node.shares_index import Record
from headwater.store.manifest import Stamp

__all__ = ["Contents"]

_Identity = tuple[int, int, int]


class Contents:
    """The records, looked up by what is in their files."""

    def __init__(self) -> None:
        self._paths: defaultdict[bytes, set[Path]] = defaultdict(set)
        self._by_identity: dict[_Identity, Path] = {}

    def add(self, path: Path, record: Record) -> None:
        if record.entry is None:
            return
        self._paths[record.entry.video].add(path)
        if record.stamp is not None:
            self._by_identity[_identity(record.stamp)] = path

    def remove(self, path: Path, record: Record) -> None:
        """`record` as it was added."""
        if record.entry is None:
            return
        paths = self._paths[record.entry.video]
        paths.discard(path)
        if not paths:
            del self._paths[record.entry.video]
        if record.stamp is not None and self._by_identity.get(_identity(record.stamp)) == path:
            del self._by_identity[_identity(record.stamp)]

    def paths_of(self, video: bytes) -> tuple[Path, ...]:
        return tuple(self._paths.get(video, ()))

    def match(self, stamp: Stamp) -> Path | None:
        """The path that held this very file when last seen: perhaps it was renamed."""
        return self._by_identity.get(_identity(stamp))


def _identity(stamp: Stamp) -> _Identity:
    return stamp.size_bytes, stamp.modified_ns, stamp.inode
