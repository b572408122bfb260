"""Pushes one stripe to one child: each part as it came, in order, and none of them late.

Theory of operation. A QUIC stream takes a megabyte before it holds its writer back, so nothing
can be told from how long a write takes. The child says on the same stream, a byte for each, which
parts it has; the age of the oldest that it has not is the backlog. When that passes `push_delay_s`,
the stream is reset, which drops what is queued inside QUIC as well, and another one goes on at the
newest keyframe. A slow child thus costs nobody else time or memory.

What has waited here for long, or has reached the child another way, would come for nothing and make
the next parts later: only its number is sent. While nothing waits, a part is written in the call
that puts it, where the stream has room: that is a turn of the loop less at every hop.

The first stream is one of QUIC's, which is there at once. When the link has its lane and nothing is
under way, the next goes on there, at a third of the cost; what a lost lane had under way is pushed
again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from headwater.link.port import LaneLost, LinkClosed, Stream
from headwater.live.counters import LiveCounters
from headwater.live.limits import PUSH_PRIORITY, LiveLimits
from headwater.live.part import LivePart
from headwater.live.port import Neighbour
from headwater.wire.frames import encode
from headwater.wire.ids import LiveId
from headwater.wire.live import Push

__all__ = ["ChildFeed"]


class ChildFeed:
    """Belongs to the loop's thread. Shape: holds parts of at most `push_delay_s` and
    `push_bytes`, and a group more."""

    def __init__(
        self,
        neighbour: Neighbour,
        live: LiveId,
        stripe: int,
        counters: LiveCounters,
        limits: LiveLimits,
        patience_s: float,
        clock: Callable[[], float],
        suspect: Callable[[bool], None],
    ) -> None:
        """`suspect`: told True when the child may be gone, False when it is there after all."""
        self._neighbour, self._live, self._stripe = neighbour, live, stripe
        self._clock = clock
        self._suspect, self._is_suspected = suspect, False
        self._counters, self._limits, self._patience_s = counters, limits, patience_s
        self._waiting: deque[tuple[LivePart, float]] = deque()
        self._sent: deque[tuple[LivePart, float]] = deque()
        """Written, and not said to have come; with when they were put, like those waiting."""
        self._bytes = 0
        """Of both."""
        self._has_work = asyncio.Event()
        self._stream: Stream | None = None
        self._idle: Stream | None = None
        """The same while nothing waits: a part is written as it is put, without a turn of the
        loop."""
        self._is_over = False
        """The child wants no more."""
        self._is_stale = False
        """The stream is to be given up for a new one."""
        self._is_on_lane = False
        self._least_group = 0
        """Parts of older groups are left out."""
        self._had: set[int] = set()
        """Parts that the child has already, newer than `_last`..."""
        self._last = -1
        """...the one that was written last."""

    def put(self, part: LivePart) -> None:
        """Push it, after what was put before."""
        is_left_out = part.info.group < self._least_group and not part.info.is_init
        if is_left_out or self._is_over:
            return
        self._bytes += len(part.frame)
        now = self._clock()
        idle = None if self._waiting or part.seq in self._had else self._idle
        if idle is not None and idle.write_at_once(part.frame):
            self._written(part, now)
        else:
            self._waiting.append((part, now))
            self._has_work.set()

    def leave_out(self, seqs: Iterable[int]) -> None:
        """The child has these already."""
        self._had = {seq for seq in (*self._had, *seqs) if seq > self._last}

    def delay_s(self, now: float) -> float:
        """How long the oldest part has been on its way, beyond what the way itself takes."""
        since = self._oldest_s()
        return 0.0 if since is None else max(0.0, now - since - (self._neighbour.rtt_s or 0.0))

    def waits_s(self, now: float) -> float:
        """The same of a child that is there; 0 where it has said nothing since that part was put,
        for it may be dead."""
        since = self._oldest_s()
        if since is None or self._neighbour.silent_for(now) >= now - since:
            return 0.0
        return self.delay_s(now)

    def is_late(self, now: float) -> bool:
        too_long = self.delay_s(now) > self._limits.push_delay_s
        return too_long or self._bytes > self._limits.push_bytes

    def skip(self, least_group: int, now: float) -> None:
        """Give up what is under way of older groups than that, now and later."""
        self._counters.children_skipped += 1
        self._least_group = least_group
        under_way = [part for part, _ in (*self._sent, *self._waiting)]
        kept = [part for part in under_way if part.info.group >= least_group]
        self._waiting = deque((part, now) for part in kept)
        self._sent.clear()
        self._bytes = sum(len(part.frame) for part in kept)
        self._is_stale = True
        if self._stream is not None:
            self._stream.reset()  # ends a write that waits
        self._has_work.set()

    async def run(self) -> None:
        """Until cancelled, or the child or the link wants no more."""
        try:
            while True:
                link = self._neighbour.link
                self._is_stale, self._is_on_lane = False, link.has_lane
                self._stream = await link.open_stream(priority=PUSH_PRIORITY, by_lane=True)
                await self._run_stream(self._stream)
                self._stream.reset()
        except LinkClosed:
            pass
        finally:
            if self._stream is not None:
                self._stream.reset()
            self._is_over, self._bytes = True, 0
            self._waiting.clear()
            self._sent.clear()

    async def _run_stream(self, stream: Stream) -> None:
        """Until another one is to go on. Raises: LinkClosed when the child gave it up."""
        closed: BaseExceptionGroup[LinkClosed] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                hearing = group.create_task(self._hear(stream), name="live.push.hear")
                await self._write(stream)
                hearing.cancel()
        except* LinkClosed as errors:
            closed = errors
        if closed is None or self._is_stale:
            return
        if closed.subgroup(LaneLost) is None:
            raise LinkClosed("the child wants no more") from closed
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        self._is_suspected = True
        self._suspect(True)

    async def _write(self, stream: Stream) -> None:
        self._counters.pushes_begun += 1
        await stream.write(encode(Push(self._live, self._stripe, self._counters.pushes_begun)))
        while not self._is_stale:
            if not self._sent and self._neighbour.link.has_lane and not self._is_on_lane:
                return
            if not self._waiting:
                self._has_work.clear()
                self._idle = stream
                try:
                    await self._has_work.wait()
                finally:
                    self._idle = None
                continue
            part, since = self._waiting.popleft()
            is_late = self._clock() - since > self._patience_s and not part.info.is_init
            if is_late or part.seq in self._had:
                self._last = part.seq
                self._bytes -= len(part.frame)
                self._counters.parts_left_out += 1
                await stream.write(encode(part.seq))
                continue
            self._written(part, since)
            await stream.write(part.frame)

    def _written(self, part: LivePart, since: float) -> None:
        self._last = part.seq
        self._sent.append((part, since))
        self._counters.parts_pushed += 1
        self._counters.bytes_pushed += len(part.frame)

    async def _hear(self, stream: Stream) -> None:
        await stream.hear(self._heard)
        raise LinkClosed("the child wants no more")

    def _heard(self, taken: bytes) -> None:
        """A byte for each part that it has."""
        self._neighbour.heard()
        if self._is_suspected:
            self._is_suspected = False
            self._suspect(False)
        for _ in taken:
            with suppress(IndexError):
                size = len(self._sent.popleft()[0].frame)
                self._bytes -= size
                self._counters.bytes_taken += size

    def _oldest_s(self) -> float | None:
        oldest = self._sent[0] if self._sent else self._waiting[0] if self._waiting else None
        return None if oldest is None else oldest[1]
