"""A run of parts on disk: `N.parts`, their payloads one after the other, and `N.heads`, their
signed headers, from which everything else follows."""

import os
from array import array
from bisect import bisect_left, bisect_right
from pathlib import Path

from headwater.errors import RemoteProtocolError
from headwater.live.part import LivePart, stored_part
from headwater.wire import frames
from headwater.wire.live import PartInfo, part_decoder, part_info

__all__ = ["Segment"]


class Segment:
    """Parts in the order of their numbers, gaps allowed. Shape: 32 bytes of memory a part.

    One writer at a time; reading may go on meanwhile, from any thread."""

    def __init__(self, folder: Path, number: int) -> None:
        """Opens or makes it; what a crash left half written is cut off. Raises: OSError."""
        self.path = folder / f"{number:06}.parts"
        self._heads_path = folder / f"{number:06}.heads"
        flags = os.O_RDWR | os.O_CREAT
        self._payloads = os.open(self.path, flags, 0o600)
        self._heads = os.open(self._heads_path, flags, 0o600)
        self._seqs, self._pts_us = array("Q"), array("Q")
        self._ends, self._head_ends = array("Q"), array("Q")
        self.keys = array("Q")
        """Numbers of the keyframes in it."""
        self.inits = array("Q")
        self._recover()

    def __len__(self) -> int:
        return len(self._seqs)

    @property
    def first(self) -> int:
        return self._seqs[0] if self._seqs else -1

    @property
    def last(self) -> int:
        return self._seqs[-1] if self._seqs else -1

    @property
    def size_bytes(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def span_us(self) -> tuple[int, int]:
        """When its first and last part are shown."""
        return (self._pts_us[0], self._pts_us[-1]) if self._seqs else (0, 0)

    @property
    def has_gaps(self) -> bool:
        return bool(self._seqs) and self.last - self.first + 1 != len(self._seqs)

    def append(self, parts: list[LivePart]) -> None:
        """Each of a greater number than all before. Blocks. Raises: OSError; nothing was added."""
        payloads = [memoryview(part.frame)[part.head_bytes :] for part in parts]
        heads = [memoryview(part.frame)[: part.head_bytes] for part in parts]
        # The header last: one that is there has its payload.
        _write_at(self._payloads, self.size_bytes, payloads)
        _write_at(self._heads, self._head_ends[-1] if self._head_ends else 0, heads)
        for part in parts:
            self._note(part.info, part.head_bytes)

    def read(self, seq: int) -> LivePart | None:
        """Blocks. None when it is not here, or no longer what was written."""
        found = self._find(seq)
        if found is None:
            return None
        head_start, head_end, start, end = found
        try:
            head = os.pread(self._heads, head_end - head_start, head_start)
            payload = os.pread(self._payloads, end - start, start)
        except OSError:
            return None
        return stored_part(head, payload)

    def payload(self, offset: int, size: int) -> bytes:
        """As it lies in the file, unchecked; fewer bytes where that ends. Blocks."""
        return os.pread(self._payloads, size, offset)

    def has(self, seq: int) -> bool:
        return self._find(seq) is not None

    def pts_us(self, seq: int) -> int:
        """When a part that is here is shown."""
        return self._pts_us[bisect_left(self._seqs, seq)]

    def key_at(self, pts_us: int) -> int | None:
        """The last keyframe shown at or before that time."""
        at = bisect_right(self._pts_us, pts_us)
        seq = self._seqs[at - 1] if at else -1
        found = bisect_right(self.keys, seq)
        return self.keys[found - 1] if found else None

    def next_key(self, since: int) -> int | None:
        at = bisect_left(self.keys, since)
        return self.keys[at] if at < len(self.keys) else None

    def heads(self) -> list[PartInfo]:
        """All of them, in order. Blocks. Raises: OSError."""
        return [info for info, _ in self._parse(_read_all(self._heads))]

    def close(self) -> None:
        for file in (self._payloads, self._heads):
            os.close(file)

    def remove(self) -> None:
        """Close it and delete its files."""
        self.close()
        for path in (self.path, self._heads_path):
            path.unlink(missing_ok=True)

    def _find(self, seq: int) -> tuple[int, int, int, int] | None:
        """Where its head starts and ends, and its payload."""
        at = bisect_left(self._seqs, seq)
        if at >= len(self._head_ends) or self._seqs[at] != seq:
            return None
        head_start = self._head_ends[at - 1] if at else 0
        start = self._ends[at - 1] if at else 0
        return head_start, self._head_ends[at], start, self._ends[at]

    def _note(self, info: PartInfo, head_bytes: int) -> None:
        self._pts_us.append(info.pts_us)
        self._ends.append(self.size_bytes + info.size_bytes)
        self._seqs.append(info.seq)
        if info.is_key:
            self.keys.append(info.seq)
        if info.is_init:
            self.inits.append(info.seq)
        last = self._head_ends[-1] if self._head_ends else 0
        self._head_ends.append(last + head_bytes)  # from here on it is found

    def _recover(self) -> None:
        there = os.fstat(self._payloads).st_size
        for info, head_bytes in self._parse(_read_all(self._heads)):
            if self.size_bytes + info.size_bytes > there or info.seq <= self.last:
                break
            self._note(info, head_bytes)
        os.ftruncate(self._payloads, self.size_bytes)
        os.ftruncate(self._heads, self._head_ends[-1] if self._head_ends else 0)

    def _parse(self, heads: bytes) -> list[tuple[PartInfo, int]]:
        """The headers in these bytes and how long each is, up to the first broken one."""
        parsed: list[tuple[PartInfo, int]] = []
        at = 0
        while at + frames.HEADER_BYTES <= len(heads):
            try:
                body = at + frames.HEADER_BYTES
                end = body + frames.frame_length(heads[at:body])
                info = part_info(frames.decode(heads[body:end], part_decoder))
            except RemoteProtocolError:
                break
            parsed.append((info, end - at))
            at = end
        return parsed


def _read_all(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _write_at(file: int, offset: int, chunks: list[memoryview]) -> None:
    payload = b"".join(chunks)
    written = 0
    while written < len(payload):
        written += os.pwrite(file, memoryview(payload)[written:], offset + written)
