"""Into how many parts a fragment is cut: one, unless it is much larger than the others. Pure.

A keyframe is as large as several fragments. As one part it would keep every uplink of one stripe
busy for so long, hop after hop, and delay all that comes behind; cut, it takes all stripes at
once."""

from collections import deque
from itertools import pairwise
from math import ceil
from statistics import median

__all__ = ["CUT_FROM", "LEAST_BYTES", "Slicing"]

REMEMBERED = 16
"""Fragments whose size tells what is usual: keyframes are the fewer of them."""
CUT_FROM = 1.5
"""Times the usual size: what is hardly larger is left whole."""
LEAST_BYTES = 8 * 1024
"""Cutting smaller pieces would cost more in headers than it saves in time."""


class Slicing:
    """Of one live with so many stripes."""

    def __init__(self, stripes: int) -> None:
        self._stripes = stripes
        self._sizes: deque[int] = deque(maxlen=REMEMBERED)

    def parts(self, size_bytes: int) -> list[int]:
        """The sizes of the parts of the next fragment: nearly equal, at most one for each
        stripe."""
        usual = max(LEAST_BYTES, median(self._sizes or [size_bytes]))
        self._sizes.append(size_bytes)
        is_large = size_bytes > CUT_FROM * usual
        count = min(self._stripes, ceil(size_bytes / usual)) if is_large else 1
        ends = [size_bytes * n // count for n in range(count + 1)]
        return [end - begin for begin, end in pairwise(ends)]
