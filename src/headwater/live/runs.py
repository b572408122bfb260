"""Which numbers were delivered, as runs without a gap. Pure."""

from bisect import bisect_right

__all__ = ["Runs"]


class Runs:
    """Numbers that only grow. Shape: at most `most` runs; the oldest are forgotten."""

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    @property
    def last(self) -> int:
        """-1 while there is none."""
        return self._lasts[-1] if self._lasts else -1

    def add(self, number: int) -> None:
        """One greater than all before; others change nothing."""
        if number <= self.last:
            return
        if self._lasts and number == self.last + 1:
            self._lasts[-1] = number
            return
        self._firsts.append(number)
        self._lasts.append(number)
        if len(self._firsts) > self._most:
            del self._firsts[0], self._lasts[0]

    def next_after(self, number: int) -> int | None:
        """The first one greater than `number`."""
        at = bisect_right(self._firsts, number + 1) - 1
        if at >= 0 and number + 1 <= self._lasts[at]:
            return number + 1
        return self._firsts[at + 1] if at + 1 < len(self._firsts) else None
