"""A bitmap of millions of blocks whose questions cost machine words, not loops. Pure.

Bits are most significant first, as on the wire, so that the bits of a range read as one big-endian
integer: Python's integers do the masking and counting at memory speed."""

import re
from typing import Self

__all__ = ["Bitmap"]

_ZEROS = re.compile("0+")
_STEP = 2**18
"""So many bits are spelled out as text at once."""


class Bitmap:
    """Which of `size` numbered things are there. Not thread-safe: its owner holds a lock."""

    __slots__ = ("_bits", "count", "size")

    def __init__(self, size: int, raw: bytes | None = None) -> None:
        """`raw`: as `to_bytes` gave it; what is missing counts as zeros, the rest as nothing."""
        self.size = size
        self._bits = bytearray(-(-size // 8))
        self.count = 0
        """How many are there."""
        if raw is not None:
            kept = raw[: len(self._bits)]
            self._bits[: len(kept)] = kept
            if size % 8 and len(kept) == len(self._bits):
                self._bits[-1] &= 0xFF00 >> size % 8
            self.count = int.from_bytes(self._bits, "big").bit_count()

    @classmethod
    def full(cls, size: int) -> Self:
        return cls(size, b"\xff" * -(-size // 8))

    def to_bytes(self) -> bytes:
        """All bits, the spare ones of the last byte 0."""
        return bytes(self._bits)

    def has(self, first: int, count: int) -> bool:
        """Whether all of the range is there."""
        if self.count == self.size:
            self._check(first, count)
            return True
        window, _, _ = self._window(first, count)
        return window == (1 << count) - 1

    def missing(self, first: int, count: int) -> list[range]:
        """What of the range is not there, in order, as few ranges as can be."""
        self._check(first, count)
        gaps: list[range] = []
        for start in range(first, first + count, _STEP):
            width = min(_STEP, first + count - start)
            if self.has(start, width):
                continue
            window, _, _ = self._window(start, width)
            for found in _ZEROS.finditer(f"{window:0{width}b}"):
                gap = range(start + found.start(), start + found.end())
                if gaps and gaps[-1].stop == gap.start:
                    gap = range(gaps.pop().start, gap.stop)
                gaps.append(gap)
        return gaps

    def add(self, first: int, count: int) -> int:
        """Set the range; how many of it were new."""
        window, shift, span = self._window(first, count)
        mask = (1 << count) - 1
        self._bits[span] = self._joined(span, mask << shift, 0)
        new = count - window.bit_count()
        self.count += new
        return new

    def discard(self, first: int, count: int) -> int:
        """Clear the range; how many of it were set."""
        window, shift, span = self._window(first, count)
        self._bits[span] = self._joined(span, 0, ((1 << count) - 1) << shift)
        gone = window.bit_count()
        self.count -= gone
        return gone

    def touched(self, first: int, count: int) -> tuple[int, bytes]:
        """Offset and content of the bytes that hold the range's bits."""
        span = slice(first >> 3, (first + count + 7) >> 3)
        return span.start, bytes(self._bits[span])

    def _window(self, first: int, count: int) -> tuple[int, int, slice]:
        """The range's bits as an integer, their shift within their bytes, and which bytes these
        are."""
        self._check(first, count)
        end = (first + count + 7) >> 3
        span = slice(first >> 3, end)
        shift = end * 8 - first - count
        window = int.from_bytes(self._bits[span], "big") >> shift
        return window & ((1 << count) - 1), shift, span

    def _check(self, first: int, count: int) -> None:
        if first < 0 or count < 0 or first + count > self.size:
            raise IndexError(f"there is no range {first} to {first + count} in {self.size}")

    def _joined(self, span: slice, on: int, off: int) -> bytes:
        raw = self._bits[span]
        return ((int.from_bytes(raw, "big") | on) & ~off).to_bytes(len(raw), "big")
