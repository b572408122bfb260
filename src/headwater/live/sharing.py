"""This node's uplink, shared among the lives that it carries, as slots: one stripe to one child."""

from collections.abc import Sequence

from headwater.live.counters import LiveCounters
from headwater.live.session import Session
from headwater.live.uplink import Uplink, is_overloaded
from headwater.overlay.overlay import DEFAULT

__all__ = ["Sharing"]

ASSUMED_BPS = 4_000_000
"""Of a live whose rate is not known yet."""
MAX_SLOTS = 2**16
SHARE = DEFAULT.uplink_share


class Sharing:
    def __init__(self, configured_bps: int, counters: LiveCounters) -> None:
        self._uplink, self._counters = Uplink(configured_bps), counters

    def configure(self, bps: int) -> None:
        self._uplink.configure(bps)

    def first_slots(self, stripes: int, lives: int) -> int:
        """For a live that joins; so many there are then."""
        return self._slots(ASSUMED_BPS, stripes, lives)

    def share(self, sessions: Sequence[Session], now: float) -> None:
        """Tell each how much it has now."""
        if not sessions:
            return
        reports = [session.report() for session in sessions]
        rates_bps = [8 * session.rate_bytes_s() or ASSUMED_BPS for session in sessions]
        waits_s = [wait_s for session in sessions for wait_s in session.waits_s()]
        used_bps = sum(
            rate * (report.slots - report.free) / len(report.stripes)
            for rate, report in zip(rates_bps, reports, strict=True)
        )
        self._uplink.check(
            now,
            is_full=any(report.free == 0 for report in reports),
            is_overloaded=is_overloaded(waits_s),
            used_bps=used_bps,
            sent_bytes=self._counters.bytes_taken + self._counters.bytes_pulled,
        )
        for session, rate_bps in zip(sessions, rates_bps, strict=True):
            slots = self._slots(rate_bps, session.entry.stripes, len(sessions))
            session.uplink(slots, self._uplink.spare_bps(used_bps, SHARE) / len(sessions))

    def _slots(self, rate_bps: float, stripes: int, lives: int) -> int:
        return min(MAX_SLOTS, int(SHARE * self._uplink.bps / lives / (rate_bps / stripes)))
