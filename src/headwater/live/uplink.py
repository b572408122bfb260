"""How much this node can send, found out by sending it. Pure.

With no number from its owner it begins low and doubles while all of it is taken and nothing waits.
That children wait tells of the uplink only when many of them do: one that is slow is slow itself,
and the overlay deals with it. When many wait for long, the uplink carries what has come through
lately, and no more. From then on it grows in small steps, the more seldom the more often that was
too much: each such step may cost somebody a picture."""

import math
from collections import deque
from collections.abc import Sequence

from headwater.live.spare import spare_bps

__all__ = ["Uplink", "is_overloaded"]

START_BPS = 20_000_000
MIN_BPS = 500_000
MAX_BPS = 2_000_000_000
BACKLOG_S = 0.15
"""A child whose oldest part is older than that waits."""
MANY = 0.5
"""Of the children, at least this share..."""
TOO_LONG_S = 1.0
"""...for this long: the uplink is to blame."""
USED = 0.4
"""Of what is believed, so much must have come through before more is."""
LEAST_LEFT = 0.5
"""Of what is used: no less is believed at once, for it may have been the machine that stood
still."""
MEASURED_S, REMEMBERED_S = 0.9, 6.0
"""What came through is measured over so long, and the most in so long counts: pictures differ."""
GROWTH, GROW_EVERY_S = 2.0, 0.5
LATER_GROWTH, LATER_GROW_EVERY_S = 1.25, 10.0
MAX_PAUSE_S = 300.0
"""Before what was too much is tried again; twice as long each time, up to this."""


def is_overloaded(delays_s: Sequence[float]) -> bool:
    """Whether many wait, by how long the oldest part for each has been on its way."""
    return bool(delays_s) and sum(s > BACKLOG_S for s in delays_s) >= MANY * len(delays_s)


class Uplink:
    """Units: bits per second of payload, seconds by the caller's clock."""

    def __init__(self, configured_bps: int) -> None:
        """`configured_bps`: what the owner allows; 0: whatever there is."""
        self._most_bps, self._found_bps = MAX_BPS, START_BPS
        self._has_met_its_end = False
        self._too_much_bps, self._pause_s = math.inf, 0.0
        """What was too much the last time, and how long it is not tried after that."""
        self._waiting_since_s: float | None = None
        self._changed_s = -math.inf
        self._sent: deque[tuple[float, int]] = deque()
        self._rates: deque[tuple[float, float]] = deque()
        self.configure(configured_bps)

    @property
    def bps(self) -> int:
        return min(self._most_bps, self._found_bps)

    def spare_bps(self, used_bps: float, share: float) -> float:
        """What is left beside what children are sent, who get `share` of it; infinite while its end
        was not met."""
        if self._most_bps == MAX_BPS and not self._has_met_its_end:
            return math.inf
        return spare_bps(self.bps, used_bps, share)

    def configure(self, bps: int) -> None:
        self._most_bps = bps or MAX_BPS
        self._found_bps = max(self._found_bps, bps)

    def check(
        self, now: float, *, is_full: bool, is_overloaded: bool, used_bps: float, sent_bytes: int
    ) -> None:
        """`is_full`: every slot is taken; `used_bps`: what the children are sent in all;
        `sent_bytes`: what has come through ever since."""
        through_bps = self._through_bps(now, sent_bytes)
        if is_overloaded:
            if self._waiting_since_s is None:
                self._waiting_since_s = now
            elif now - self._waiting_since_s >= TOO_LONG_S:
                self._waiting_since_s = now
                self._cut(now, max(through_bps, LEAST_LEFT * used_bps))
            return
        self._waiting_since_s = None
        if is_full and through_bps >= USED * self.bps:
            self._grow(now)

    def _through_bps(self, now: float, sent_bytes: int) -> float:
        """The most that came through lately."""
        self._sent.append((now, sent_bytes))
        while self._sent[0][0] < now - MEASURED_S:
            began_s, before_bytes = self._sent.popleft()
            self._rates.append((now, 8 * (sent_bytes - before_bytes) / (now - began_s)))
        while self._rates and self._rates[0][0] < now - REMEMBERED_S:
            self._rates.popleft()
        return max((rate for _, rate in self._rates), default=0.0)

    def _cut(self, now: float, bps: float) -> None:
        self._has_met_its_end = True
        self._too_much_bps = self.bps
        self._pause_s = min(MAX_PAUSE_S, max(LATER_GROW_EVERY_S, 2 * self._pause_s))
        self._found_bps = max(MIN_BPS, min(self.bps, round(bps)))
        self._changed_s = now

    def _grow(self, now: float) -> None:
        """Unless it is too soon."""
        is_later = self._has_met_its_end
        more_bps = min(MAX_BPS, round(self._found_bps * (LATER_GROWTH if is_later else GROWTH)))
        wait_s = LATER_GROW_EVERY_S if is_later else GROW_EVERY_S
        if more_bps >= self._too_much_bps:
            wait_s = max(wait_s, self._pause_s)
        if now - self._changed_s < wait_s:
            return
        if self._too_much_bps == math.inf:
            self._pause_s = 0.0  # it carries more than it did
        if more_bps >= self._too_much_bps:
            self._too_much_bps = math.inf
        self._found_bps, self._changed_s = more_bps, now
