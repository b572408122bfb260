"""The parts of a live on disk: for time shift, and as the recording. Every method blocks."""

import shutil
import threading
from pathlib import Path

from headwater.errors import StorageFull
from headwater.live.part import LivePart
from headwater.live.segment import Segment
from headwater.store.durable import write_error

__all__ = ["Spool"]

SEGMENT_US = 60_000_000
"""Of a spool that gives up its old end: so much goes at a time."""


class Spool:
    """Shape: with `keep_us`, at least so much of the newest and at most SEGMENT_US more; without,
    everything, in one segment. Appends come from one thread at a time."""

    def __init__(self, folder: Path, keep_us: int | None, reserve_bytes: int) -> None:
        """Goes on with what lies there. Raises: OSError."""
        self.folder, self._keep_us, self._reserve_bytes = folder, keep_us, reserve_bytes
        folder.mkdir(parents=True, exist_ok=True)
        numbers = sorted(int(path.stem) for path in folder.glob("[0-9]*.heads"))
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._is_closed = False
        self._segments = [Segment(folder, number) for number in numbers]
        self._next = numbers[-1] + 1 if numbers else 0

    @property
    def last(self) -> int:
        """The number of the newest part; -1 while there is none."""
        return max((segment.last for segment in self._segments), default=-1)

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    def segments(self) -> list[Segment]:
        return list(self._segments)

    def keep_all(self) -> None:
        """From now on nothing is given up."""
        self._keep_us = None

    def append(self, parts: list[LivePart]) -> None:
        """In order, after all before; nothing once it is closed. Raises: StorageFull; then nothing
        was added."""
        with self._writing:
            if not self._is_closed:
                self._append(parts)

    def read(self, seq: int) -> LivePart | None:
        with self._lock:
            for segment in reversed(self._segments):
                if segment.first <= seq <= segment.last:
                    return segment.read(seq)
        return None

    def has(self, seq: int) -> bool:
        return any(segment.has(seq) for segment in self._segments)

    def oldest_key(self) -> tuple[int, int] | None:
        """Its number and when it is shown."""
        for segment in self._segments:
            key = segment.next_key(0)
            if key is not None:
                return key, segment.pts_us(key)
        return None

    def next_key(self, since: int) -> int | None:
        """The first keyframe at or after that number."""
        found = (segment.next_key(since) for segment in self._segments)
        return next((key for key in found if key is not None), None)

    def key_at(self, pts_us: int) -> int | None:
        """The keyframe shown at that time or, if that is gone, the oldest one."""
        for segment in reversed(self._segments):
            key = segment.key_at(pts_us)
            if key is not None:
                return key
        return self.next_key(0)

    def close(self) -> None:
        """After what is being written and read."""
        with self._writing, self._lock:
            self._is_closed = True
            for segment in self._segments:
                segment.close()
            self._segments = []

    def remove(self) -> None:
        """Delete it all."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _append(self, parts: list[LivePart]) -> None:
        size = sum(len(part.frame) for part in parts)
        try:
            if shutil.disk_usage(self.folder).free < self._reserve_bytes + size:
                raise StorageFull("there is no room on the disk to record: make room")
            self._current(parts[0].info.pts_us).append(parts)
        except OSError as error:
            raise write_error(error, self.folder) from error
        self._give_up_old(parts[-1].info.pts_us)

    def _current(self, pts_us: int) -> Segment:
        """The segment that is written to now."""
        newest = self._segments[-1] if self._segments else None
        is_full = newest and len(newest) and pts_us - newest.span_us[0] >= SEGMENT_US
        if newest is None or (is_full and self._keep_us is not None):
            newest = Segment(self.folder, self._next)
            self._next += 1
            self._segments.append(newest)
        return newest

    def _give_up_old(self, pts_us: int) -> None:
        if self._keep_us is None:
            return
        with self._lock:
            while len(self._segments) > 1:
                if pts_us - self._segments[0].span_us[1] <= self._keep_us:
                    return
                self._segments.pop(0).remove()
