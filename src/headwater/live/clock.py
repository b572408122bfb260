"""What the source's clock shows, told from node to node along the overlay: for the delay that
people are shown. Pure."""

from dataclasses import dataclass
from math import ceil

from headwater.wire.live import ClockReply

__all__ = ["SourceClock"]

MAX_ERROR_US = 250_000
"""What is less sure than this is not told to people."""
AGES_US_PER_S = 50
"""How fast two machines' clocks drift apart at most."""


@dataclass(frozen=True, slots=True)
class _Known:
    offset_us: int
    error_us: float
    at_s: float


class SourceClock:
    """`now` is by a clock that never goes back; `wall_us` what this machine's clock shows."""

    def __init__(self, *, is_source: bool) -> None:
        self._is_source = is_source
        self._known = _Known(0, 0.0, 0.0) if is_source else None

    def learn(self, reply: ClockReply, asked_us: int, answered_us: int, now: float) -> None:
        """A neighbour's answer; when it was asked and when it answered by this machine's clock."""
        took_us = max(0, answered_us - asked_us)
        offset_us = reply.clock_us + reply.offset_us - (asked_us + answered_us) // 2
        heard = _Known(offset_us, reply.error_us + took_us / 2 + 1, now)  # 1: rounding
        if self._known is None or heard.error_us <= self._error_us(self._known, now):
            self._known = heard

    def tell(self, wall_us: int, now: float) -> ClockReply | None:
        """What is known, for others; None: nothing."""
        if self._known is None:
            return None
        error_us = min(2**53, ceil(self._error_us(self._known, now)))
        return ClockReply(max(0, wall_us), self._known.offset_us, error_us)

    def since_s(self, capture_us: int, wall_us: int, now: float) -> float | None:
        """Seconds since then by the source's clock; None when that is not known well enough."""
        known = self._known
        if known is None or self._error_us(known, now) > MAX_ERROR_US or capture_us <= 0:
            return None
        return max(0.0, (wall_us + known.offset_us - capture_us) / 1e6)

    def _error_us(self, known: _Known, now: float) -> float:
        return 0.0 if self._is_source else known.error_us + AGES_US_PER_S * (now - known.at_s)
