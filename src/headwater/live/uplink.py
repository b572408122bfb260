"""How much this node can send, found out by sending it. Pure.

With no number from its owner it begins low and doubles while all of it is taken and nothing waits.
That children wait tells of the uplink only when many of them do: one that is slow is slow itself,
and the overlay deals with it. When many wait for long, what was used was too much; from then on it
grows in smaller steps."""

__all__ = ["Uplink"]

START_BPS = 20_000_000
MAX_BPS = 2_000_000_000
BACKLOG_S = 0.15
"""A child whose oldest part is older than that waits."""
MANY = 0.5
"""Of the children, at least this share..."""
TOO_LONG_S = 2.0
"""...for this long: the uplink is to blame."""
CUT = 0.8
GROWTH, GROW_EVERY_S = 2.0, 0.5
LATER_GROWTH, LATER_GROW_EVERY_S = 1.25, 2.0


class Uplink:
    def __init__(self, configured_bps: int) -> None:
        """`configured_bps`: what the owner allows; 0: whatever there is."""
        self._configured_bps = configured_bps
        self._found_bps = START_BPS
        self._has_met_its_end = False
        self._waiting_since_s: float | None = None
        self._changed_s = float("-inf")

    @property
    def bps(self) -> int:
        return self._configured_bps or self._found_bps

    def configure(self, bps: int) -> None:
        self._configured_bps = bps

    def check(self, now: float, *, is_full: bool, waiting: float, used_bps: float) -> None:
        """`is_full`: every slot is taken; `waiting`: the share of the children that wait;
        `used_bps`: what they are sent in all."""
        if waiting >= MANY:
            if self._waiting_since_s is None:
                self._waiting_since_s = now
            elif now - self._waiting_since_s >= TOO_LONG_S:
                self._has_met_its_end, self._waiting_since_s = True, now
                self._found_bps = max(START_BPS, round(min(used_bps, self._found_bps) * CUT))
                self._changed_s = now
            return
        self._waiting_since_s = None
        every_s = LATER_GROW_EVERY_S if self._has_met_its_end else GROW_EVERY_S
        if is_full and now - self._changed_s >= every_s:
            growth = LATER_GROWTH if self._has_met_its_end else GROWTH
            self._found_bps = min(MAX_BPS, round(self._found_bps * growth))
            self._changed_s = now
