"""Streams over one TLS connection beside a link: a third of the processor time that QUIC takes from
Python, and a third of the delay.

Each stream has a window of its own, so that one nobody reads holds up no other. What QUIC does
better stays there: priorities, lost packets that hold up one stream only, and dropping what is
queued when a stream is reset. A lane on which somebody resets a stream while it is jammed is
closed, which drops all that is queued; then the link goes on without it.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from headwater.errors import RemoteProtocolError
from headwater.link.port import LaneLost, LinkClosed
from headwater.link.tls import TOKEN_BYTES

__all__ = ["DATA", "END", "MAX_LANE_STREAMS", "MORE", "RESET", "WINDOW_BYTES", "Lane", "LaneStream"]

DATA, MORE, END, RESET = range(4)
"""Kinds of frames: so many bytes follow; so many more may be sent; no more will come; given up."""
WINDOW_BYTES = 1024 * 1024
"""Of one stream: sent and not yet read."""
MAX_LANE_STREAMS = 64
"""That the other side has open at once."""
STUCK_S = 2.0
"""A connection that takes nothing for this long carries nothing any more: the network changed."""
MAX_QUEUED_BYTES = 512 * 1024
"""That wait in this process until streams have to."""
_JAM_BYTES = 64 * 1024
"""What is queued cannot be taken back: more than this must not be in the way of what comes next."""
_FRAME = struct.Struct(">BII")
_scratch = memoryview(bytearray(256 * 1024))
"""Of all lanes: what is read into it is taken out before anything else happens."""


class LaneStream:
    """A `Stream`. Shape: one reader and one writer at a time."""

    def __init__(self, lane: "Lane", number: int, *, is_known: bool) -> None:
        self._lane, self._number = lane, number
        self._is_known = is_known
        """To the other side."""
        self._queue: deque[memoryview] = deque()
        self._credit = WINDOW_BYTES
        self._is_finishing = self._is_finished = False
        self._drained: asyncio.Future[None] | None = None
        self._chunks: deque[bytes] = deque()
        self._offset = self._held = 0
        """Of the first chunk so much was read; of all of them so much was not."""
        self._received, self._allowed = 0, WINDOW_BYTES
        self._has_ended = False
        """The other side sent its last byte."""
        self._wanted = 0
        self._arrival: asyncio.Future[None] | None = None
        self._failure: LinkClosed | None = None

    # The node's side.

    def set_priority(self, priority: int) -> None:
        pass  # first come, first served

    async def write(self, payload: bytes) -> None:
        self._raise_failure()
        if payload:
            self._queue.append(memoryview(payload))
        await self._drain()

    async def finish(self) -> None:
        self._raise_failure()
        self._is_finishing = True
        await self._drain()

    async def _drain(self) -> None:
        self.pump()
        while self._queue and self._failure is None:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained
        self._raise_failure()

    async def read(self, limit: int) -> bytes:
        await self._have(1)
        return self._take(min(limit, self._held))

    async def read_exact(self, size: int) -> bytes:
        await self._have(size)
        if self._held < size:
            raise LinkClosed(f"the stream ended {size - self._held} bytes too early")
        return self._take(size)

    async def _have(self, size: int) -> None:
        """Until so many bytes are held, or all there are."""
        self._raise_failure()
        while self._held < size and not self._has_ended:
            self._allow(size)
            self._wanted, self._arrival = size, asyncio.get_running_loop().create_future()
            await self._arrival
            self._raise_failure()

    def _take(self, size: int) -> bytes:
        pieces: list[bytes] = []
        missing = size
        while missing:
            piece = self._chunks[0][self._offset : self._offset + missing]
            pieces.append(piece)
            missing -= len(piece)
            self._offset += len(piece)
            if self._offset == len(self._chunks[0]):
                self._chunks.popleft()
                self._offset = 0
        self._held -= size
        self._allow(0)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _allow(self, size: int) -> None:
        """Have the other side send on: a window, or as much as is waited for."""
        read = self._received - self._held
        if self._allowed < read + max(WINDOW_BYTES // 2, size) and not self._has_ended:
            more = read + max(WINDOW_BYTES, size) - self._allowed
            self._allowed += more
            self._say(MORE, more)

    def reset(self) -> None:
        if self._failure is None:
            if self._is_known:
                self._say(RESET)
            self.fail(LinkClosed("closed by this node"))
            self._lane.reset(self._number)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # The lane's side.

    def pump(self) -> None:
        """Send what may be sent now."""
        while self._queue and self._credit:
            if not self._lane.is_writable:
                self._lane.wait(self)
                return
            piece = self._queue[0][: self._credit]
            rest = self._queue.popleft()[len(piece) :]
            if rest:
                self._queue.appendleft(rest)
            self._credit -= len(piece)
            self._say(DATA, len(piece), piece)
        if self._queue:
            return
        if self._is_finishing and not self._is_finished and self._failure is None:
            self._is_finished = True
            self._say(END)
            self._forget_when_over()
        _wake(self._drained)

    def _say(self, kind: int, number: int = 0, body: memoryview | None = None) -> None:
        self._is_known = True
        self._lane.send(_FRAME.pack(kind, self._number, number), body)

    def announced(self, size: int) -> None:
        """So many bytes are about to come. Raises: RemoteProtocolError."""
        self._received += size
        if self._received > self._allowed or self._has_ended:
            raise RemoteProtocolError("it sent more on a lane than it was allowed to")

    def fed(self, data: memoryview) -> None:
        if self._failure is None:
            self._chunks.append(bytes(data))
            self._held += len(data)
            if self._held >= self._wanted:
                _wake(self._arrival)

    def credited(self, size: int) -> None:
        self._credit += size
        self.pump()

    def ended(self) -> None:
        self._has_ended = True
        _wake(self._arrival)
        self._forget_when_over()

    def fail(self, failure: LinkClosed) -> None:
        """Nothing comes or goes any more."""
        self._failure = self._failure or failure
        self._queue.clear()
        self._chunks.clear()
        self._held = 0
        _wake(self._arrival)
        _wake(self._drained)

    def _forget_when_over(self) -> None:
        if self._has_ended and self._is_finished:
            self._lane.forget(self._number)


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
        self._waiting: deque[LaneStream] = deque()
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

    def open_stream(self) -> LaneStream:
        """The other side sees it with the first byte. Raises: LinkClosed."""
        if self.is_closed:
            raise LinkClosed("the lane was closed")
        stream = self._streams[self._next] = LaneStream(self, self._next, is_known=False)
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
        _wake(self._arrival)

    # Streams.

    def send(self, header: bytes, body: memoryview | None) -> None:
        if self._transport is not None and not self.is_closed:
            self._transport.writelines([header] if body is None else [header, body])

    def wait(self, stream: LaneStream) -> None:
        """Have it pump when there is room again, in turn."""
        if stream not in self._waiting:
            self._waiting.append(stream)

    def forget(self, number: int) -> None:
        self._streams.pop(number, None)

    def reset(self, number: int) -> None:
        """This side gave that stream up."""
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
            self._waiting.popleft().pump()

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
            size = _FRAME.size if self._admit is None else TOKEN_BYTES
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
        kind, number, size = _FRAME.unpack(header)
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
        _wake(self._arrival)
        return stream


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
