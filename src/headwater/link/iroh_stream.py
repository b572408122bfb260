"""One QUIC stream of iroh as a `Stream`: buffered reads, and waits that can be cancelled without
harm."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from iroh import BiStream, IrohError

from headwater.link.foreign import Call, fire
from headwater.link.port import LinkClosed

__all__ = ["IrohStream", "closed"]

_READ_BYTES = 64 * 1024
"""The least that is asked of iroh at once: a crossing costs more than copying this much."""
_RESET_CODE = 0


def closed(error: Exception) -> LinkClosed:
    """What the rest of the node gets to see of a failure inside iroh."""
    if isinstance(error, IrohError):
        return LinkClosed(f"the link failed: {error.message()}")
    return LinkClosed("closed by this node")


class IrohStream:
    """A bidirectional stream. Shape: one reader and one writer at a time.

    Cancelling a read keeps what it would have returned for the next one; a payload whose write was
    cancelled goes out whole or not at all. `reset` ends both at once."""

    def __init__(self, pair: BiStream) -> None:
        self._send, self._receive = pair.send(), pair.recv()
        self._writing: Call[None] | None = None
        self._reading: Call[bytes] | None = None
        self._held = b""
        self._offset = 0
        self._ended: LinkClosed | None = None
        self._is_finished = False
        """The other side sent its last byte."""

    def set_priority(self, priority: int) -> None:
        with contextlib.suppress(IrohError):
            fire(self._send.set_priority(priority))

    async def write(self, payload: bytes) -> None:
        await self._send_by(self._send.write_all(payload))

    def write_at_once(self, payload: bytes) -> bool:
        return False  # iroh tells of a write only when it is over

    async def finish(self) -> None:
        try:
            await self._settle()
        except (IrohError, asyncio.InvalidStateError) as error:
            raise closed(error) from error
        fire(self._send.finish())  # a mark, sent with the last bytes: a lost link shows elsewhere

    async def _send_by(self, coroutine: Coroutine[Any, Any, None]) -> None:
        call = Call(coroutine)
        try:
            await self._settle()
            self._writing = call
            await self._settle()
        except (IrohError, asyncio.InvalidStateError) as error:
            raise closed(error) from error
        finally:
            if self._writing is not call:
                call.drop()

    async def _settle(self) -> None:
        """Wait for what is being written, be it of a waiter that was cancelled."""
        writing = self._writing
        if writing is not None:
            try:
                await writing.result()
            finally:
                if writing.is_over:
                    self._writing = None

    async def read(self, limit: int) -> bytes:
        if self._offset == len(self._held):
            self._held, self._offset = await self._fetch(max(limit, _READ_BYTES)), 0
        if self._offset == 0 and len(self._held) <= limit:
            taken, self._held = self._held, b""
            return taken
        taken = self._held[self._offset : self._offset + limit]
        self._offset += len(taken)
        return taken

    async def peek(self, size: int) -> bytes:
        while len(self._held) - self._offset < size:
            chunk = await self._fetch(_READ_BYTES)
            if not chunk:
                break
            self._held, self._offset = self._held[self._offset :] + chunk, 0
        return self._held[self._offset : self._offset + size]

    async def read_exact(self, size: int) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing:
            part = await self._read_or_keep(missing, parts)
            if not part:
                raise LinkClosed(f"the stream ended {missing} bytes too early")
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def hear(self, take: Callable[[bytes], None]) -> None:
        while data := await self.read(_READ_BYTES):
            take(data)

    async def _read_or_keep(self, limit: int, taken: list[bytes]) -> bytes:
        try:
            return await self.read(limit)
        except asyncio.CancelledError:
            self._held, self._offset = b"".join(taken) + self._held[self._offset :], 0
            raise

    async def _fetch(self, limit: int) -> bytes:
        if self._ended is not None:
            raise self._ended
        if self._is_finished:
            return b""
        if self._reading is None:
            self._reading = Call(self._receive.read(limit))
        try:
            chunk = await self._reading.result()
        except (IrohError, asyncio.InvalidStateError) as error:
            # Remembered: iroh answers b"", as after a clean end, when it is asked again after a
            # reset.
            self._ended = closed(error)
            raise self._ended from error
        self._reading = None
        self._is_finished = not chunk
        return chunk

    def reset(self) -> None:
        if self._ended is None:
            self._ended = LinkClosed("closed by this node")
        for call in (self._writing, self._reading):
            if call is not None:
                call.drop()  # it holds the lock that reset and stop need
        with contextlib.suppress(IrohError):
            fire(self._send.reset(_RESET_CODE))
            fire(self._receive.stop(_RESET_CODE))
