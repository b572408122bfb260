"""This node's uplink, shared among the lives that it carries, as slots: one stripe to one child."""

from collections.abc import Sequence

from headwater.live.session import Session
from headwater.live.uplink import BACKLOG_S, Uplink

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
        reports = [session.report() for session in sessions]
        rates_bps = [8 * session.rate_bytes_s() or ASSUMED_BPS for session in sessions]
        delays_s = [delay_s for session in sessions for delay_s in session.backlogs_s()]
        used_bps = sum(
            rate * (report.slots - report.free) / len(report.stripes)
            for rate, report in zip(rates_bps, reports, strict=True)
        )
        self._uplink.check(
            now,
            is_full=any(report.free == 0 for report in reports),
            waiting=sum(delay_s > BACKLOG_S for delay_s in delays_s) / max(1, len(delays_s)),
            used_bps=used_bps,
        )
        for session, rate_bps in zip(sessions, rates_bps, strict=True):
            session.uplink(self._slots(rate_bps, session.entry.stripes, len(sessions)))

    def _slots(self, rate_bps: float, stripes: int, lives: int) -> int:
        return min(MAX_SLOTS, int(SHARE * self._uplink.bps / lives / (rate_bps / stripes)))
