"""A node's uplink: one part at a time, the neighbours in turn; what waited too long is left out.

Control messages are small and have a stream of their own in each link: they overtake the parts
here, as they do in QUIC, and only take their share of the rate."""

from collections import deque
from collections.abc import Callable

from headwater.sim.clock import Clock
from headwater.sim.link import Flow, Parcel

__all__ = ["Uplink"]

LATE_S = 2.0
"""A part that waits longer is of no use to anybody: its stream is reset."""
MAX_WAITING = 256
"""Parts of one flow; further ones are refused."""
TOLD_STEP_S = 0.02
"""A backlog is told again when it changed by more."""


class Uplink:
    """Sends at `rate` bytes a second. `sent(flow, parcel, left_s)` is called when it is known when
    the last byte leaves, `tell(flow, stripe, waited_s)` when the backlog of pushed parts changed.
    `late` counts the parts that were left out."""

    __slots__ = ("_clock", "_free_s", "_is_draining", "_sent", "_tell", "_turns", "late", "rate")

    def __init__(
        self,
        clock: Clock,
        rate: float,
        sent: Callable[[Flow, Parcel, float], None],
        tell: Callable[[Flow, int, float], None],
    ) -> None:
        self._clock, self._sent, self._tell = clock, sent, tell
        self.rate = rate
        self.late = 0
        self._free_s = 0.0
        self._turns: deque[Flow] = deque()
        self._is_draining = False

    def charge(self, size_bytes: int) -> float:
        """A control message leaves now: how long that takes."""
        took_s = size_bytes / self.rate
        if self._free_s > self._clock.now:
            self._free_s += took_s
        return took_s

    def put(self, flow: Flow, parcel: Parcel) -> None:
        if not self._is_draining and self._clock.now >= self._free_s:
            if flow.told_s:
                self._report(flow, parcel.stripe, 0.0)
            self._transmit(flow, parcel)
            return
        if len(flow.waiting) >= MAX_WAITING and not parcel.is_end:
            self.late += 1
            return
        flow.waiting.append(parcel)
        if not flow.is_in_turn:
            flow.is_in_turn = True
            self._turns.append(flow)
        if not self._is_draining:
            self._is_draining = True
            self._clock.at(self._free_s, self._drain)

    def clear(self) -> None:
        """The process ended or sleeps: what waits does not leave."""
        for flow in self._turns:
            flow.waiting.clear()

    def _transmit(self, flow: Flow, parcel: Parcel) -> None:
        self._free_s = max(self._clock.now, self._free_s) + parcel.size_bytes / self.rate
        self._sent(flow, parcel, self._free_s)

    def _drain(self) -> None:
        turns, now = self._turns, self._clock.now
        if self._free_s > now + 1e-9:  # control messages went in between
            self._clock.at(self._free_s, self._drain)
            return
        while turns:
            flow = turns.popleft()
            parcel = self._next(flow, now)
            if flow.waiting:
                turns.append(flow)
            else:
                flow.is_in_turn = False
            if parcel is not None:
                self._transmit(flow, parcel)
                waited_s = now - parcel.queued_s
                if parcel.is_push and abs(waited_s - flow.told_s) > TOLD_STEP_S:
                    self._report(flow, parcel.stripe, waited_s)
                break
        self._is_draining = bool(turns)
        if turns:
            self._clock.at(self._free_s, self._drain)

    def _next(self, flow: Flow, now: float) -> Parcel | None:
        """The next one that somebody still waits for."""
        waiting, link = flow.waiting, flow.link
        while waiting:
            parcel = waiting.popleft()
            if not link.is_up:
                continue
            if parcel.is_push and link.pushes.get(parcel.stripe) != parcel.ticket:
                continue
            if now - parcel.queued_s > LATE_S and not parcel.is_end:
                self.late += 1
                continue
            return parcel
        return None

    def _report(self, flow: Flow, stripe: int, waited_s: float) -> None:
        flow.told_s = waited_s
        # an event of its own: what the overlay answers may put parts into this very uplink
        self._clock.at(self._clock.now, self._tell, flow, stripe, waited_s)
