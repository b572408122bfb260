"""Parts asked for by number: what others are given from here, and what they give."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from headwater.catalog.rate import Allowance
from headwater.errors import RemoteProtocolError, Unavailable
from headwater.link.port import Stream
from headwater.live.counters import LiveCounters
from headwater.live.limits import BURST_PRIORITY, PULL_PRIORITY, REPAIR_PARTS, LiveLimits
from headwater.live.part import Head, LivePart, next_head
from headwater.live.port import Neighbour
from headwater.live.spare import Spare
from headwater.wire.frames import encode
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.live import GetParts, PartsReply
from headwater.wire.messages import Refused

__all__ = ["PartServer", "pull"]

ANSWER_S = 2.0
"""For a reply to begin..."""
PART_S = 5.0
"""...and for each part of it to come."""
MIN_RATE_BYTES_S = 256 * 1024
"""What the budgets reckon with before the rate of the stream is known."""


async def pull(
    neighbour: Neighbour, live: LiveId, seqs: Sequence[int]
) -> AsyncIterator[tuple[Head, Stream]]:
    """The heads of the parts that come; whoever takes one reads or drops the part.

    Raises: Unavailable, LinkClosed; RemoteProtocolError when something else comes."""
    priority = PULL_PRIORITY if len(seqs) <= REPAIR_PARTS else BURST_PRIORITY
    request = GetParts(live, tuple(seqs))
    reply, stream = await neighbour.ask(request, timeout_s=ANSWER_S, priority=priority)
    try:
        if isinstance(reply, Refused) and reply.reason == "busy":
            raise Busy("the neighbour has enough to do with its children")
        if not isinstance(reply, PartsReply):
            raise Unavailable("the neighbour refuses parts of this live")
        expected = set(seqs)
        for _ in range(reply.count):
            async with asyncio.timeout(PART_S):
                head = await next_head(stream)
            if head is None:
                raise Unavailable("the answer was cut short")
            if head.info.live != live or head.info.seq not in expected:
                raise RemoteProtocolError("a part came that was not asked for")
            expected.discard(head.info.seq)
            yield head, stream
    except TimeoutError:
        raise Unavailable("the parts did not come in time") from None
    finally:
        stream.reset()


class Busy(Unavailable):
    """It has the parts, but not now."""


class PartServer:
    """Answers GetParts of one live. `find` gives a part that is here, in memory or on disk."""

    def __init__(
        self,
        find: Callable[[int], Awaitable[LivePart | None]],
        rate_bytes_s: Callable[[], float],
        counters: LiveCounters,
        limits: LiveLimits,
        clock: Callable[[], float],
        spare_bytes_s: Callable[[], float],
    ) -> None:
        """`spare_bytes_s`: what the children leave of the uplink; infinite where nobody knows."""
        self._spare_bytes_s, self._spare = spare_bytes_s, Spare(clock())
        self._find, self._rate_bytes_s, self._clock = find, rate_bytes_s, clock
        self._counters, self._limits = counters, limits
        self._slots: dict[NodeId, asyncio.Semaphore] = {}
        self._budgets: dict[NodeId, tuple[float, Allowance]] = {}
        """With the rate that each was made for."""

    def neighbour_down(self, node: NodeId) -> None:
        self._slots.pop(node, None)
        self._budgets.pop(node, None)

    async def answer(self, node: NodeId, request: GetParts, stream: Stream) -> None:
        """Write the reply and finish the stream. Raises: LinkClosed."""
        is_repair = len(request.seqs) <= REPAIR_PARTS
        stream.set_priority(PULL_PRIORITY if is_repair else BURST_PRIORITY)
        slots = self._slots.setdefault(node, asyncio.Semaphore(self._limits.answers))
        async with slots:
            if not self._spare.has_some(self._spare_bytes_s(), self._clock()):
                self._counters.pulls_curbed += 1
                await stream.write(encode(Refused("busy")))
                await stream.finish()
                return
            parts = await self._collect(node, request.seqs)
            size_bytes = sum(len(part.frame) for part in parts)
            self._spare.take(size_bytes)
            self._counters.pulls_answered += 1
            self._counters.bytes_pulled += size_bytes
            reply = encode(PartsReply(len(parts)))
            await stream.write(b"".join([reply, *(part.frame for part in parts)]))
            await stream.finish()

    async def _collect(self, node: NodeId, seqs: Sequence[int]) -> list[LivePart]:
        """Those that are here, in the order asked for, within the bounds."""
        budget = self._budget(node)
        parts: list[LivePart] = []
        size = 0
        for seq in dict.fromkeys(seqs):
            part = await self._find(seq)
            if part is None:
                continue
            size += len(part.frame)
            is_too_much = parts and size > self._limits.answer_bytes
            if is_too_much or not budget.take(len(part.frame), self._clock()):
                self._counters.pulls_curbed += 1
                break
            parts.append(part)
        return parts

    def _budget(self, node: NodeId) -> Allowance:
        """Made anew when the stream turns out to run much faster."""
        rate = max(MIN_RATE_BYTES_S, self._rate_bytes_s())
        known = self._budgets.get(node)
        if known is None or rate > 2 * known[0]:
            burst = max(self._limits.answer_bytes, self._limits.answer_burst_s * rate)
            allowance = Allowance(self._limits.answer_ratio * rate, burst, self._clock())
            known = self._budgets[node] = rate, allowance
        return known[1]
