"""How far a live is behind its source, and when its pictures were taken. Pure."""

__all__ = ["FILE_BEHIND_US", "Lag"]

BEHIND_US = 300_000
"""From here on pictures are left out, until the delay is half of it."""
FILE_BEHIND_US = 900_000
"""The same for a recording, which is there in advance and loses nothing by a short wait."""
_CREEP_PPM = 500
"""A source's clock may run so much slower than ours."""


class Lag:
    """Compares a source's clock with ours, by the piece of it that came with the least delay."""

    def __init__(self, behind_us: int = BEHIND_US) -> None:
        self._behind_us = behind_us
        self._offset_us: int | None = None
        self._last_us = self._due_us = 0
        self.is_behind = False

    def saw(self, at_us: int, now_us: int, *, was_due: bool) -> None:
        """`was_due`: it was waited for, so nothing is piled up: a delay is the source's own."""
        offset = now_us - at_us
        if self._offset_us is None:
            self._offset_us = offset
        elif was_due and offset - self._offset_us > self._behind_us:
            self._offset_us = offset  # it paused, or its clock was set
        else:
            passed = max(0, at_us - self._last_us)
            self._offset_us = min(offset, self._offset_us + passed * _CREEP_PPM // 1_000_000)
        self._last_us = at_us
        if was_due:
            self._due_us = now_us
        late_us = offset - self._offset_us
        is_late = late_us > (self._behind_us // 2 if self.is_behind else self._behind_us)
        self.is_behind = is_late and now_us - self._due_us > self._behind_us // 2

    def capture_us(self, at_us: int) -> int:
        """When what has the source's time `at_us` was taken, by our clock."""
        return max(0, at_us + (self._offset_us or 0))
