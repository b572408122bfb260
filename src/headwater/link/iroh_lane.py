"""The lane of one iroh link: agreed on over the link when one side wants it, made by the side that
dialled, given up with the link."""

import asyncio
import logging
from typing import Any

from iroh import Connection, IrohError

from headwater.errors import NodeError, RemoteProtocolError
from headwater.link.background import Background
from headwater.link.foreign import Call
from headwater.link.lane import Lane
from headwater.link.lane_door import LaneDoor, make_lane
from headwater.link.lane_stream import LaneStream
from headwater.link.port import LinkClosed
from headwater.wire.frames import HEADER_BYTES, decode, encode
from headwater.wire.messages import LaneOffer, LaneWanted, lane_decoder

__all__ = ["IrohLane"]

MAX_LANE_MESSAGE_BYTES = 8192
LANE_RETRY_S = 60.0
"""Between two tries to have one, whatever the other side says."""
_MAX_INCOMING_STREAMS = 2

log = logging.getLogger(__name__)


class IrohLane:
    """Belongs to the loop's thread."""

    def __init__(self, connection: Connection, door: LaneDoor, *, is_dialler: bool) -> None:
        self._connection, self._door, self._is_dialler = connection, door, is_dialler
        self._lane: Lane | None = None
        self._news = asyncio.Event()
        self._is_closed = False
        self._retry_s = float("-inf")
        """When the next try may be, by the loop's clock."""
        self._has_asked = False
        """Who dialled waits for an offer."""
        self._violation: RemoteProtocolError | None = None
        self._token = b""
        self._listening: Call[Any] | None = None
        self._background = Background()
        connection.set_max_concurrent_uni_streams(_MAX_INCOMING_STREAMS)
        self._background.start(self._listen(), "link.lane")

    @property
    def is_up(self) -> bool:
        return self._lane is not None and not self._lane.is_closed

    def want(self) -> None:
        """Have one made, unless there is one, or a try was made less than LANE_RETRY_S ago."""
        if self._may_try():
            work = self._ask() if self._is_dialler else self._offer()
            self._background.start(work, "link.lane")

    def open_stream(self, priority: int) -> LaneStream | None:
        """None while there is no lane, or no room on it; it is wanted then."""
        self.want()
        lane = self._lane
        if lane is None or lane.is_closed or not lane.has_room:
            return None
        return lane.open_stream(priority)

    async def accept_stream(self) -> LaneStream:
        """The next one that the other side opens. Raises: LinkClosed when the link ends;
        RemoteProtocolError."""
        while not self._is_closed:
            if self._violation is not None:
                raise self._violation
            lane = self._lane
            if lane is None:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                return await lane.accept_stream()
            except LinkClosed:  # the link goes on without it
                self._lane = None if self._lane is lane else self._lane
        raise LinkClosed("the link was closed")

    def close(self) -> None:
        self._is_closed = True
        self._door.forget(self._token)
        if self._listening is not None:
            self._listening.drop()
        self._background.cancel()
        if self._lane is not None:
            self._lane.close("the link was closed")
        self._news.set()

    def _may_try(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self.is_up or self._is_closed or now < self._retry_s:
            return False
        self._retry_s = now + LANE_RETRY_S
        return True

    async def _ask(self) -> None:
        self._has_asked = True
        await self._say(LaneWanted())

    async def _offer(self) -> None:
        try:
            offer = await self._door.expect(self._adopt)
        except NodeError as error:
            log.info("link.no_lane", extra={"reason": str(error)})
            return
        self._door.forget(self._token)
        self._token = offer.token
        await self._say(offer)

    async def _say(self, message: LaneWanted | LaneOffer) -> None:
        try:
            stream = await Call(self._connection.open_uni()).result()
            await Call(stream.write_all(encode(message))).result()
            await Call(stream.finish()).result()
        except IrohError:
            pass  # the link ended

    async def _listen(self) -> None:
        """Take what the other side says of lanes, until the link ends."""
        try:
            while True:
                self._listening = Call(self._connection.accept_uni())
                stream = await self._listening.result()
                self._listening = Call(stream.read_to_end(MAX_LANE_MESSAGE_BYTES))
                try:
                    said = await self._listening.result()
                except IrohError:
                    continue  # it gave it up, or says too much
                await self._heard(decode(said[HEADER_BYTES:], lane_decoder))
        except (IrohError, asyncio.InvalidStateError):
            self.close()  # the other side ended the link, or this one did
        except RemoteProtocolError as error:
            self._violation = error
            self._news.set()

    async def _heard(self, message: LaneWanted | LaneOffer) -> None:
        if isinstance(message, LaneWanted) == self._is_dialler:
            raise RemoteProtocolError("only who dialled asks for a lane, only the other offers one")
        if isinstance(message, LaneWanted):
            self.want()
            return
        if self._has_asked:
            self._has_asked = False
        elif not self._may_try():
            return
        try:
            self._adopt(await make_lane(message, self._host()))
        except RemoteProtocolError:
            raise
        except NodeError as error:
            log.info("link.no_lane", extra={"reason": str(error)})

    def _host(self) -> str:
        """At which the link reaches the other side."""
        for path in self._connection.paths():
            if path.is_selected and not path.is_relay:
                return str(path.remote_addr).rpartition(":")[0].strip("[]")
        return ""

    def _adopt(self, lane: Lane) -> None:
        if self._is_closed:
            lane.close("the link was closed")
            return
        self._lane = lane
        self._news.set()
