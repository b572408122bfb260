"""How much this node can send, found out by sending it. Pure.

With no number from its owner it begins low and doubles while all of it is taken and nothing waits;
from the first backlog on it only feels its way."""

__all__ = ["Uplink"]

START_BPS = 20_000_000
MAX_BPS = 2_000_000_000
GROW_EVERY_S = 0.5
CALM_S = 0.05
"""Parts that wait no longer than that wait for nothing."""
BACKLOG_S = 0.15
PROBE_EVERY_S = 10.0
PROBE = 1.1


class Uplink:
    def __init__(self, configured_bps: int) -> None:
        """`configured_bps`: what the owner allows; 0: whatever there is."""
        self._configured_bps = configured_bps
        self._found_bps = START_BPS
        self._has_met_backlog = False
        self._changed_s = 0.0

    @property
    def bps(self) -> int:
        return self._configured_bps or self._found_bps

    def configure(self, bps: int) -> None:
        self._configured_bps = bps

    def check(self, now: float, *, is_full: bool, backlog_s: float) -> None:
        """`is_full`: every slot is taken; `backlog_s`: the longest wait of a part."""
        if backlog_s > BACKLOG_S:
            self._has_met_backlog = True
            self._changed_s = now
            return  # the overlay withholds slots by itself; here it only stops growing
        every_s = PROBE_EVERY_S if self._has_met_backlog else GROW_EVERY_S
        if is_full and backlog_s <= CALM_S and now - self._changed_s >= every_s:
            growth = PROBE if self._has_met_backlog else 2.0
            self._found_bps = min(MAX_BPS, round(self._found_bps * growth))
            self._changed_s = now
