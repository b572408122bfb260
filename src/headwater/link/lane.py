"""Streams over one TLS connection beside a link: a third of the processor time that QUIC takes from
Python, and a third of the delay.

Each stream has a window of its own, so that one nobody reads holds up no other. What QUIC does
better stays there: lost packets that hold up one stream only, and dropping what is queued when a
stream is reset. A lane on which somebody resets a stream while it is jammed is closed, which drops
all that is queued; then the link goes on without it.
"""

import asyncio
import socket
from bisect import insort
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from headwater.errors import RemoteProtocolError
from headwater.link.lane_stream import DATA, END, FRAME, MORE, RESET, LaneStream, wake
from headwater.link.port import LaneLost, LinkClosed
from headwater.link.tls import TOKEN_BYTES

__all__ = ["MAX_LANE_STREAMS", "Lane"]

MAX_LANE_STREAMS = 64
"""That the other side has open at once."""
STUCK_S = 2.0
"""A connection that takes nothing for this long carries nothing any more: the network changed."""
MAX_QUEUED_BYTES = 256 * 1024
"""That wait in this process until streams have to, those of greater priority in front."""
_LEAST_BYTES = 16 * 1024
"""Less is not sent of a stream that has more: a record takes as much."""
JOINED_BYTES = 16 * 1024 - FRAME.size
"""So many bytes of a frame go in one TLS record with its header."""
_JAM_BYTES = 64 * 1024
"""What is queued cannot be taken back: more than this must not be in the way of what comes next."""
_scratch = memoryview(bytearray(256 * 1024))
"""Of all lanes: what is read into it is taken out before anything else happens."""


class Lane(asyncio.BufferedProtocol):
    """One side of it. Belongs to the loop's thread."""

    def __init__(self, admit: "Callable[[bytes, Lane], bool] | None" = None) -> None:
        """`admit`: of the server's side: whether who shows this token may use the lane."""
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why it ended."""
        self.is_writable = True
        self._admit, self._is_server = admit, admit is not None
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, LaneStream] = {}
        self._next, self._newest = (2, -1) if self._is_server else (1, 0)
        """Number of our next stream, and of the newest of theirs: the client's are odd."""
        self._waiting: list[LaneStream] = []
        self._incoming: deque[LaneStream] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._violation: RemoteProtocolError | None = None
        self._header = bytearray()
        self._body: LaneStream | None = None
        self._body_left = 0
        self._stuck: asyncio.TimerHandle | None = None

    @property
    def is_closed(self) -> bool:
        return self.closed.done()

    @property
    def is_admitted(self) -> bool:
        """Whether the server let the client in."""
        return self._admit is None

    @property
    def has_room(self) -> bool:
        """Whether one more stream of ours may be open."""
        return sum(not self._is_their(each) for each in self._streams) < MAX_LANE_STREAMS

    def open_stream(self, priority: int = 0) -> LaneStream:
        """The other side sees it with the first byte. Raises: LinkClosed."""
        if self.is_closed:
            raise LinkClosed("the lane was closed")
        stream = LaneStream(self, self._next, is_known=False, priority=priority)
        self._streams[self._next] = stream
        self._next += 2
        return stream

    async def accept_stream(self) -> LaneStream:
        """The next one that the other side opened. Raises: LinkClosed; RemoteProtocolError when it
        broke the rules."""
        while not self._incoming:
            if self._violation is not None:
                raise self._violation
            if self.is_closed:
                raise LinkClosed("the lane was closed")
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        return self._incoming.popleft()

    def close(self, reason: str) -> None:
        """At once, with everything on it. Never raises."""
        if self._transport is not None:
            self._transport.abort()
        self._end(reason)

    def _end(self, reason: str) -> None:
        if self.is_closed:
            return
        self.closed.set_result(reason)
        if self._stuck is not None:
            self._stuck.cancel()
        for stream in self._streams.values():
            stream.fail(LaneLost(reason))
        self._streams.clear()
        self._waiting.clear()
        self._incoming.clear()
        wake(self._arrival)

    # Streams.

    @property
    def room(self) -> int:
        if self._transport is None or not self.is_writable:
            return 0
        return max(_LEAST_BYTES, MAX_QUEUED_BYTES - self._transport.get_write_buffer_size())

    def send(self, header: bytes, body: memoryview | None) -> None:
        if self._transport is not None and not self.is_closed:
            if body is None or len(body) <= JOINED_BYTES:
                self._transport.write(header + body if body else header)
            else:
                self._transport.writelines([header + body[:JOINED_BYTES], body[JOINED_BYTES:]])

    def wait(self, stream: LaneStream) -> None:
        """Have it pump when there is room again: the greatest priority first, else in turn."""
        if stream not in self._waiting:
            insort(self._waiting, stream, key=lambda each: -each.priority)

    def forget(self, number: int) -> None:
        self._streams.pop(number, None)

    def reset(self, number: int) -> None:
        """This side gave that stream up in the midst of writing."""
        self.forget(number)
        if self._transport and self._transport.get_write_buffer_size() > _JAM_BYTES:
            self.close("jammed")

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        transport.set_write_buffer_limits(high=MAX_QUEUED_BYTES)
        with suppress(OSError, AttributeError):  # a system without it queues more
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _JAM_BYTES)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _scratch

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._parse(_scratch[:nbytes])
        except RemoteProtocolError as error:
            self._violation = error
            self.close(str(error))

    def eof_received(self) -> None:
        pass  # the transport closes then

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection was lost: {exc}" if exc else "the connection was closed")

    def pause_writing(self) -> None:
        self.is_writable = False
        loop = asyncio.get_running_loop()
        self._stuck = loop.call_later(STUCK_S, self.close, "nothing gets through any more")

    def resume_writing(self) -> None:
        self.is_writable = True
        if self._stuck is not None:
            self._stuck.cancel()
        while self._waiting and self.is_writable:
            self._waiting.pop(0).pump()

    # Frames.

    def _parse(self, data: memoryview) -> None:
        while data and not self.is_closed:
            if self._body_left:
                piece = data[: self._body_left]
                self._body_left -= len(piece)
                if self._body is not None:
                    self._body.fed(piece)
                data = data[len(piece) :]
                continue
            size = FRAME.size if self._admit is None else TOKEN_BYTES
            piece = data[: size - len(self._header)]
            self._header += piece
            data = data[len(piece) :]
            if len(self._header) == size:
                header = bytes(self._header)
                self._header.clear()
                self._take(header)

    def _take(self, header: bytes) -> None:
        if self._admit is not None:
            admit, self._admit = self._admit, None
            if not admit(header, self):
                self.close("nobody was expected with this token")
            return
        kind, number, size = FRAME.unpack(header)
        stream = self._streams.get(number) or self._opened(kind, number)
        if kind == DATA:
            self._body, self._body_left = stream, size
        if kind not in (DATA, MORE, END, RESET):
            raise RemoteProtocolError(f"a lane has no frame of kind {kind}")
        if stream is None:
            return  # this side gave it up meanwhile
        if kind == DATA:
            stream.announced(size)
        elif kind == MORE:
            stream.credited(size)
        elif kind == END:
            stream.ended()
        else:
            self.forget(number)
            if stream in self._incoming:
                self._incoming.remove(stream)
            stream.fail(LinkClosed("the other side gave the stream up"))

    def _is_their(self, number: int) -> bool:
        return number % 2 == self._is_server

    def _opened(self, kind: int, number: int) -> LaneStream | None:
        """Theirs, with its first frame; None when the number is no new one of theirs."""
        if kind == RESET or number <= self._newest or not self._is_their(number):
            return None
        if sum(map(self._is_their, self._streams)) >= MAX_LANE_STREAMS:
            raise RemoteProtocolError(f"it opened more than {MAX_LANE_STREAMS} streams on a lane")
        self._newest = number
        stream = self._streams[number] = LaneStream(self, number, is_known=True)
        self._incoming.append(stream)
        wake(self._arrival)
        return stream
