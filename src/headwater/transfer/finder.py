"""Who has a video: told by the catalogue and by neighbours, dialled where they are none."""

import asyncio
import logging
from contextlib import suppress

from headwater.catalog.catalogue import Catalogue, Holders
from headwater.errors import NodeError
from headwater.transfer.port import Neighbour, Neighbours
from headwater.transfer.swarm import Swarm
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.items import Item, VideoEntry
from headwater.wire.messages import Follow

__all__ = ["Finder"]

log = logging.getLogger(__name__)

SEEK_HOLDERS_S = 2.0
MAX_DIALLED_HOLDERS = 8
MAX_DIALLED_FOR_BLOB = 2


class Finder:
    """The catalogue says who should have it; who is connected is asked, who is not is dialled."""

    def __init__(self, me: NodeId, catalogue: Catalogue, neighbours: Neighbours) -> None:
        self._me, self._catalogue, self._neighbours = me, catalogue, neighbours

    def introduce(self, swarm: Swarm) -> None:
        """Neighbours that should have it are asked without waiting for their word."""
        holders = self._catalogue.holders(swarm.stored.video)
        for neighbour in self._neighbours.connected().values():
            _introduce(swarm, neighbour, holders)

    def neighbour_up(self, swarm: Swarm, neighbour: Neighbour) -> None:
        _introduce(swarm, neighbour, self._catalogue.holders(swarm.stored.video))

    def heard(self, swarm: Swarm, item: Item) -> None:
        """The catalogue has something newer about this swarm's video."""
        video, body = swarm.stored.video, item.body
        node = NodeId(body.node) if isinstance(body, VideoEntry) else item.author
        neighbour = self._neighbours.get(node)
        holders = self._catalogue.holders(video)
        if node in holders.whole and neighbour is not None:
            swarm.add_source(node, neighbour.rtt_s, whole=True)
        elif node not in holders.whole and node not in holders.partial:
            swarm.remove_source(node)

    async def seek(self, video: VideoId) -> None:
        """Dial holders that are no neighbours, until cancelled."""
        while True:
            for node in self.away(video)[:MAX_DIALLED_HOLDERS]:
                try:
                    await self._dial(node)
                except NodeError as error:
                    log.debug("transfers.dial_failed", extra={"reason": str(error)})
            await asyncio.sleep(SEEK_HOLDERS_S)

    def is_told_whole(self, video: VideoId) -> bool:
        """Whether the mesh was told that this node has all of it."""
        return self._me in self._catalogue.holders(video).whole

    def elsewhere(self, video: VideoId) -> list[NodeId]:
        """The other nodes that say to have it, wholly or in part."""
        holders = self._catalogue.holders(video)
        return [node for node in (*holders.whole, *holders.partial) if node != self._me]

    def away(self, video: VideoId) -> list[NodeId]:
        """Those of them with which there is no link."""
        connected = self._neighbours.connected()
        return [node for node in self.elsewhere(video) if node not in connected]

    async def near(self, video: VideoId | None) -> list[NodeId]:
        """Neighbours that should have what belongs to this video, dialled if need be."""
        connected = list(self._neighbours.connected())
        if video is None:
            return connected[:MAX_DIALLED_HOLDERS]
        holders = self._catalogue.holders(video).whole
        near = [node for node in connected if node in holders]
        for node in self.away(video)[: 0 if near else MAX_DIALLED_FOR_BLOB]:
            with suppress(NodeError):
                if await self._dial(node):
                    near.append(node)
        return near or connected[:MAX_DIALLED_HOLDERS]

    async def _dial(self, node: NodeId) -> bool:
        """Whether there is an address to dial. Raises: Unavailable."""
        record = self._catalogue.record(node)
        if record is None or not record.addresses:
            return False
        await self._neighbours.dial(node, record.addresses)
        return True


def _introduce(swarm: Swarm, neighbour: Neighbour, holders: Holders) -> None:
    neighbour.send(Follow(swarm.stored.video))
    if neighbour.node in holders.whole:
        swarm.add_source(neighbour.node, neighbour.rtt_s, whole=True)
