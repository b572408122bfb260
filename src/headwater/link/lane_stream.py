"""One stream of a lane: what waits to be sent, what came unread, how much more may come."""

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

from headwater.errors import RemoteProtocolError
from headwater.link.port import LinkClosed

__all__ = ["DATA", "END", "FRAME", "MORE", "RESET", "WINDOW_BYTES", "LaneStream", "wake"]

DATA, MORE, END, RESET = range(4)
"""Kinds of frames: so many bytes follow; so many more may be sent; no more will come; given up."""
FRAME = struct.Struct(">BII")
"""Kind, stream, count."""
WINDOW_BYTES = 1024 * 1024
"""Of one stream: sent and not yet read."""


class Carrier(Protocol):
    """The lane that a stream is on."""

    @property
    def room(self) -> int:
        """Bytes that may be sent now."""

    def send(self, header: bytes, body: memoryview | None) -> None: ...

    def wait(self, stream: "LaneStream") -> None:
        """Have it pump when there is room again: the greatest priority first, else in turn."""

    def forget(self, number: int) -> None:
        """That stream is over, or needs nothing more of this side."""

    def reset(self, number: int) -> None:
        """This side gave that stream up in the midst of writing."""


class LaneStream:
    """A `Stream`. Shape: one reader and one writer at a time."""

    def __init__(self, lane: Carrier, number: int, *, is_known: bool, priority: int = 0) -> None:
        self._lane, self._number = lane, number
        self.priority = priority
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
        self._take_heard: Callable[[bytes], None] | None = None
        self._failure: LinkClosed | None = None

    # The node's side.

    def set_priority(self, priority: int) -> None:
        self.priority = priority

    async def write(self, payload: bytes) -> None:
        self._raise_failure()
        if payload:
            self._queue.append(memoryview(payload))
        await self._drain()

    def write_at_once(self, payload: bytes) -> bool:
        size = len(payload)
        if self._failure or self._queue or size > min(self._credit, self._lane.room):
            return False
        self._credit -= size
        self._say(DATA, size, memoryview(payload))
        return True

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

    async def peek(self, size: int) -> bytes:
        await self._have(size)
        size = min(size, self._held)
        if size and len(self._chunks[0]) - self._offset < size:
            pieces = [self._chunks.popleft()[self._offset :]]
            while sum(map(len, pieces)) < size:
                pieces.append(self._chunks.popleft())
            self._chunks.appendleft(b"".join(pieces))
            self._offset = 0
        return self._chunks[0][self._offset : self._offset + size] if size else b""

    async def read_exact(self, size: int) -> bytes:
        await self._have(size)
        if self._held < size:
            raise LinkClosed(f"the stream ended {size - self._held} bytes too early")
        return self._take(size)

    async def hear(self, take: Callable[[bytes], None]) -> None:
        self._raise_failure()
        if self._held:
            take(self._take(self._held))
        self._take_heard = take
        try:
            while not self._has_ended:
                self._arrival = asyncio.get_running_loop().create_future()
                await self._arrival
                self._raise_failure()
        finally:
            self._take_heard = None

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
            if not self._is_over:
                if self._is_known:
                    self._say(RESET)
                # Who asked and gives up the answer has nothing queued that others would wait for.
                give_up = self._lane.forget if self._is_finished else self._lane.reset
                give_up(self._number)
            self.fail(LinkClosed("closed by this node"))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # The lane's side.

    def pump(self) -> None:
        """Send what may be sent now."""
        while self._queue and self._credit:
            room = self._lane.room
            if not room:
                self._lane.wait(self)
                return
            piece = self._queue[0][: min(self._credit, room)]
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
        wake(self._drained)

    @property
    def _is_over(self) -> bool:
        """Both sides said their last."""
        return self._has_ended and self._is_finished

    def _say(self, kind: int, number: int = 0, body: memoryview | None = None) -> None:
        self._is_known = True
        self._lane.send(FRAME.pack(kind, self._number, number), body)

    def announced(self, size: int) -> None:
        """So many bytes are about to come. Raises: RemoteProtocolError."""
        self._received += size
        if self._received > self._allowed or self._has_ended:
            raise RemoteProtocolError("it sent more on a lane than it was allowed to")

    def fed(self, data: memoryview) -> None:
        if self._failure is not None:
            return
        if self._take_heard is not None:
            self._take_heard(bytes(data))
            self._allow(0)
        else:
            self._chunks.append(bytes(data))
            self._held += len(data)
            if self._held >= self._wanted:
                wake(self._arrival)

    def credited(self, size: int) -> None:
        self._credit += size
        self.pump()

    def ended(self) -> None:
        self._has_ended = True
        wake(self._arrival)
        self._forget_when_over()

    def fail(self, failure: LinkClosed) -> None:
        """Nothing comes or goes any more."""
        self._failure = self._failure or failure
        self._queue.clear()
        self._chunks.clear()
        self._held = 0
        wake(self._arrival)
        wake(self._drained)

    def _forget_when_over(self) -> None:
        if self._is_over:
            self._lane.forget(self._number)


def wake(waiter: asyncio.Future[None] | None) -> None:
    """Whoever waits for it goes on, if somebody still does."""
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
