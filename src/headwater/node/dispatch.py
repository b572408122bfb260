"""Hands what neighbours say to the part that it concerns."""

import logging

from headwater.catalog.gossip import Gossip
from headwater.link.port import Stream
from headwater.live.lives import Lives
from headwater.node.events import Event, Events
from headwater.node.neighbours import Neighbour
from headwater.transfer.server import BlockServer
from headwater.transfer.transfers import Transfers
from headwater.wire.messages import (
    Control,
    Digest,
    Follow,
    Goodbye,
    Have,
    Hello,
    Items,
    Ping,
    Pong,
    Request,
    StoredRequest,
    Summary,
    Unfollow,
    Want,
)

__all__ = ["Dispatch"]

log = logging.getLogger(__name__)


class Dispatch:
    """The node's side of node/neighbours.py's Handlers. Complete after connect()."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def connect(
        self, gossip: Gossip, transfers: Transfers, server: BlockServer, lives: Lives
    ) -> None:
        """These are told from now on; they need the neighbours first, and those need us."""
        self._gossip, self._transfers, self._server = gossip, transfers, server
        self._lives = lives

    def neighbour_up(self, neighbour: Neighbour) -> None:
        log.info("neighbour.up", extra={"node": neighbour.node.hex()[:10]})
        self._gossip.neighbour_up(neighbour)
        self._transfers.neighbour_up(neighbour)
        self._lives.neighbour_up(neighbour)
        self._events.publish(Event("peers", neighbour.node.hex(), neighbour.record.name))

    def neighbour_down(self, neighbour: Neighbour, reason: str) -> None:
        log.info("neighbour.down", extra={"node": neighbour.node.hex()[:10], "reason": reason})
        self._gossip.neighbour_down(neighbour)
        self._transfers.neighbour_down(neighbour.node)
        self._server.neighbour_down(neighbour.node)
        self._lives.neighbour_down(neighbour.node)
        self._events.publish(Event("peers", neighbour.node.hex()))

    def control(self, neighbour: Neighbour, message: Control) -> None:
        match message:
            case Digest() | Summary() | Want() | Items():
                self._gossip.control(neighbour, message)
            case Follow() | Unfollow() | Have():
                self._transfers.control(neighbour, message)
            case Hello() | Ping() | Pong() | Goodbye():
                pass  # the link's own business
            case _:
                self._lives.control(neighbour, message)

    async def request(self, neighbour: Neighbour, request: Request, stream: Stream) -> None:
        if isinstance(request, StoredRequest):
            await self._server.answer(neighbour, request, stream)
        else:
            await self._lives.request(neighbour, request, stream)
