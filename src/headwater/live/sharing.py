"""This node's uplink, shared among the lives that it carries, as slots: one stripe to one child."""

from collections.abc import Sequence

from headwater.live.session import Session
from headwater.live.uplink import Uplink

__all__ = ["Sharing"]

ASSUMED_BPS = 4_000_000
"""Of a live whose rate is not known yet."""
SHARE = 0.8
"""Of the uplink; the rest is for repair and everything else."""
MAX_SLOTS = 2**16


class Sharing:
    def __init__(self, configured_bps: int) -> None:
        self._uplink = Uplink(configured_bps)

    def configure(self, bps: int) -> None:
        self._uplink.configure(bps)

    def first_slots(self, stripes: int, lives: int) -> int:
        """For a live that joins; so many there are then."""
        return self._slots(ASSUMED_BPS, stripes, lives)

    def share(self, sessions: Sequence[Session], now: float) -> None:
        """Tell each how much it has now."""
        if not sessions:
            return
        is_full = any(session.report().free == 0 for session in sessions)
        backlog_s = max(session.backlog_s() for session in sessions)
        self._uplink.check(now, is_full=is_full, backlog_s=backlog_s)
        for session in sessions:
            rate_bps = 8 * session.rate_bytes_s() or ASSUMED_BPS
            session.uplink(self._slots(rate_bps, session.entry.stripes, len(sessions)))

    def _slots(self, rate_bps: float, stripes: int, lives: int) -> int:
        return min(MAX_SLOTS, int(SHARE * self._uplink.bps / lives / (rate_bps / stripes)))
