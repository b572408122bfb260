"""What a session asks of its neighbours: missing parts, older ones, the source's clock."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from headwater.errors import NodeError, RemoteProtocolError
from headwater.live.arrivals import Arrivals
from headwater.live.clock import SourceClock
from headwater.live.part import LivePart
from headwater.live.port import Neighbours
from headwater.wire.ids import LiveId, NodeId, short_id
from headwater.wire.live import ClockReply, GetClock

__all__ = ["Asking"]

log = logging.getLogger(__name__)

CLOCK_S, CLOCK_EVERY_S = 1.0, 20.0
"""To wait for the source's clock or ask anew; to ask again once it is known."""


class Asking:
    """Belongs to the loop's thread. Who lies is banned."""

    def __init__(
        self,
        live: LiveId,
        neighbours: Neighbours,
        arrivals: Arrivals,
        source_clock: SourceClock,
        clock: Callable[[], float],
        wall_us: Callable[[], int],
        ban: Callable[[NodeId, str], None],
    ) -> None:
        self._live, self._neighbours, self._arrivals = live, neighbours, arrivals
        self._source_clock, self._clock, self._wall_us = source_clock, clock, wall_us
        self._ban = ban

    async def pull(self, node: NodeId, seqs: Sequence[int]) -> bool:
        """Take what comes of these parts; nothing may. False: as Arrivals.pull."""
        neighbour = self._neighbours.get(node)
        if neighbour is not None:
            try:
                return await self._arrivals.pull(neighbour, seqs)
            except RemoteProtocolError as error:
                self._ban(node, str(error))
        return True

    async def fetch(
        self, nodes: Sequence[NodeId | None], seqs: Sequence[int]
    ) -> Sequence[LivePart]:
        """These parts, of whatever age, from the first of the nodes that has some."""
        for node in dict.fromkeys(node for node in nodes if node is not None):
            neighbour = self._neighbours.get(node)
            try:
                if neighbour and (parts := await self._arrivals.fetch(neighbour, seqs)):
                    return parts
            except RemoteProtocolError as error:
                self._ban(node, str(error))
        return ()

    async def keep_time(self, parent: Callable[[], NodeId | None]) -> None:
        """Learn now and then from whoever feeds us what the source's clock shows; until
        cancelled."""
        while True:
            node = parent()
            if node is not None:
                await self._ask_time(node)
            is_known = self._source_clock.tell(0, self._clock()) is not None
            await asyncio.sleep(CLOCK_EVERY_S if is_known else CLOCK_S)

    async def _ask_time(self, node: NodeId) -> None:
        neighbour = self._neighbours.get(node)
        if neighbour is None:
            return
        asked_us = self._wall_us()
        with suppress(NodeError):
            reply, stream = await neighbour.ask(GetClock(self._live), timeout_s=CLOCK_S)
            stream.reset()
            if isinstance(reply, ClockReply):
                self._source_clock.learn(reply, asked_us, self._wall_us(), self._clock())

    async def dial(self, node: NodeId, addresses: Sequence[str]) -> None:
        """Link to it; who cannot be reached is nobody's loss."""
        try:
            await self._neighbours.dial(node, addresses)
        except NodeError as error:
            log.debug("live.dial_failed", extra={"node": short_id(node), "reason": str(error)})
