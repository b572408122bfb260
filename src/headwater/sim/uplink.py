"""A node's uplink: one part at a time, the links in turn; what would come for nothing is left out.

Repairs go before pushed parts, whatever the link, and those before the bursts that joiners ask for:
slots take up most of the uplink, and pushes that are late because of bursts make more of them.

Control messages have a stream of their own in each link, which goes before all others, and are a
hundredth of the bytes: they do not pass through here."""

from collections import deque
from collections.abc import Callable

from headwater.sim.clock import Clock
from headwater.sim.link import Flow, Link, Parcel

__all__ = ["Uplink"]

ANSWER_S = 0.5
"""A pulled part that could not leave by then is left out of the answer."""
MAX_WAITING = 256
"""Parts of one link and kind; further ones are refused."""
CHECK_S = 0.1
"""Between two looks at what waits, while something does."""
TOLD_STEP_S = 0.02
"""A backlog is told again when it changed by so much."""


class Uplink:
    """Sends at `rate` bytes a second; of a pushed part that has waited for more than `patience_s`,
    or that the child has by then, only the word that it is left out.

    `sent(flow, parcel, left_s)` is called when it is known when the last byte leaves, `tell(flow,
    stripe, waited_s)` when the backlog of pushed parts changed. `late` counts the parts that were
    left out."""

    __slots__ = (
        *("_clock", "_flows", "_free_s", "_is_checking", "_is_draining", "_sent", "_tell"),
        *("_turns", "late", "patience_s", "rate"),
    )

    def __init__(
        self,
        clock: Clock,
        rate: float,
        patience_s: float,
        sent: Callable[[Flow, Parcel, float], None],
        tell: Callable[[Flow, int, float], None],
    ) -> None:
        self._clock, self._sent, self._tell = clock, sent, tell
        self.rate, self.patience_s = rate, patience_s
        self.late = 0
        self._free_s = 0.0
        self._turns: tuple[deque[Flow], ...] = (deque(), deque(), deque())
        """By kind: links in turn; each is there as long as something of that kind waits for it."""
        self._flows: dict[Flow, None] = {}
        """Those whose backlog is looked at."""
        self._is_draining = self._is_checking = False

    @property
    def waiting_s(self) -> float:
        """Until all that is here will have left."""
        waiting_bytes = sum(
            parcel.size_bytes
            for kind, turns in enumerate(self._turns)
            for flow in turns
            for parcel in flow.waiting[kind]
        )
        return max(0.0, self._free_s - self._clock.now) + waiting_bytes / self.rate

    def put(self, flow: Flow, parcel: Parcel) -> None:
        if not self._is_draining and self._clock.now >= self._free_s:
            self._transmit(flow, self._as_wanted(flow.link, parcel) if parcel.is_push else parcel)
            return
        waiting, turns = flow.waiting[parcel.kind], self._turns[parcel.kind]
        if parcel.is_push:
            self._watch(flow)
        if len(waiting) >= MAX_WAITING and not parcel.is_end:
            self.late += 1
            return
        if not waiting:
            turns.append(flow)
        waiting.append(parcel)
        if not self._is_draining:
            self._is_draining = True
            self._clock.at(self._free_s, self._drain)

    def clear(self) -> None:
        """The process ended or sleeps: what waits does not leave."""
        for kind, turns in enumerate(self._turns):
            for flow in turns:
                flow.waiting[kind].clear()
            turns.clear()

    def _transmit(self, flow: Flow, parcel: Parcel) -> None:
        self._free_s = max(self._clock.now, self._free_s) + parcel.size_bytes / self.rate
        if parcel.is_push:
            flow.since_s, flow.until_s = parcel.queued_s, self._free_s
        self._sent(flow, parcel, self._free_s)

    def _drain(self) -> None:
        """The next one leaves: of the first kind that waits, of the links in turn."""
        any(self._next(kind) for kind in range(len(self._turns)))
        self._is_draining = any(self._turns)
        if self._is_draining:
            self._clock.at(self._free_s, self._drain)

    def _next(self, kind: int) -> bool:
        turns = self._turns[kind]
        while turns:
            flow = turns.popleft()
            waiting = flow.waiting[kind]
            parcel = self._wanted(flow, waiting)
            if waiting:
                turns.append(flow)
            if parcel is not None:
                self._transmit(flow, parcel)
                return True
        return False

    def _wanted(self, flow: Flow, waiting: list[Parcel]) -> Parcel | None:
        """The next one that somebody still waits for."""
        link, now = flow.link, self._clock.now
        while waiting:
            parcel = waiting.pop(0)
            if not link.is_up:
                continue
            waited_s = now - parcel.queued_s
            if parcel.is_push:
                if link.pushes.get(parcel.stripe) != parcel.ticket:
                    continue
                return self._as_wanted(link, parcel)
            if parcel.is_end or (waited_s <= ANSWER_S and parcel.ticket in link.other.asked):
                return parcel
            self.late += 1
        return None

    def _as_wanted(self, link: Link, parcel: Parcel) -> Parcel:
        """A pushed part, or the word that it is left out."""
        is_late = self._clock.now - parcel.queued_s > self.patience_s
        if not is_late and parcel.seq not in link.spared:
            return parcel
        self.late += 1
        link.spared.discard(parcel.seq)
        return parcel.as_word()

    # Backlogs, told as the shell does.

    def _watch(self, flow: Flow) -> None:
        self._flows[flow] = None
        if not self._is_checking:
            self._is_checking = True
            self._clock.at(self._clock.now + CHECK_S, self._check)

    def _check(self) -> None:
        now = self._clock.now
        for flow in list(self._flows):
            waited_s = flow.oldest_s(now)
            for stripe in list(flow.link.pushes):
                if abs(waited_s - flow.told_s.get(stripe, 0.0)) >= TOLD_STEP_S:
                    flow.told_s[stripe] = waited_s
                    self._tell(flow, stripe, waited_s)
            if not waited_s or not flow.link.is_up:
                del self._flows[flow]
                flow.told_s.clear()
        self._is_checking = bool(self._flows)
        if self._flows:
            self._clock.at(now + CHECK_S, self._check)
