"""Bytes of a recording that somebody makes right now (a browser), on their way to the ingest."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Protocol

from headwater.errors import Conflict, Unavailable

__all__ = ["Feed", "Sink"]

ATTACH_S = 10.0


class Sink(Protocol):
    """The process that reads the recordings. Waits while it is behind; raises ConnectionError when
    it is gone."""

    async def send(self, chunk: bytes) -> None: ...
    async def recorded(self) -> None: ...
    async def closed(self) -> None: ...


class Feed:
    """One writer at a time. Shape: holds nothing; a writer waits while the ingest is behind.

    A recording begins with `begin()` and ends with `end()`; after it another one may begin, for
    instance when the browser comes back. `close()` ends the live."""

    def __init__(self) -> None:
        self._sink: Sink | None = None
        self._changed = asyncio.Condition()
        self._is_open = False
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    async def begin(self) -> None:
        """Raises: Conflict while another recording runs; Unavailable after the end."""
        if self._is_open:
            raise Conflict("this live gets its pictures from elsewhere already: end that first")
        self._is_open = True
        try:
            async with asyncio.timeout(ATTACH_S), self._changed:
                await self._changed.wait_for(lambda: self._sink is not None or self._is_closed)
        except BaseException as error:
            self._is_open = False
            if isinstance(error, TimeoutError):
                raise Unavailable("this live is not on air: start it first") from error
            raise
        if self._is_closed:
            self._is_open = False
            raise Unavailable("this live has ended: start a new one")

    async def write(self, chunk: bytes) -> None:
        """The next bytes of the recording. Raises: Unavailable: begin a new recording."""
        sink = self._sink
        if not self._is_open or sink is None:
            raise Unavailable("this live was interrupted: begin again")
        try:
            await sink.send(chunk)
        except ConnectionError as error:
            raise Unavailable("this live was interrupted: begin again") from error

    async def end(self) -> None:
        """The recording is complete; harmless when none runs."""
        if self._is_open:
            self._is_open = False
            if self._sink is not None:
                await self._tell(self._sink.recorded())

    async def close(self) -> None:
        """No more will come: the live ends."""
        await self.end()
        self._is_closed = True
        if self._sink is not None:
            await self._tell(self._sink.closed())
        async with self._changed:
            self._changed.notify_all()

    async def attach(self, sink: Sink) -> None:
        """The ingest's: there it goes from now on."""
        self._sink = sink
        if self._is_closed:
            await self._tell(sink.closed())
        async with self._changed:
            self._changed.notify_all()

    def detach(self, *, is_over: bool) -> None:
        """The ingest's: the process is gone, and with it the recording that it read."""
        self._sink, self._is_open = None, False
        self._is_closed = self._is_closed or is_over

    async def _tell(self, telling: Awaitable[None]) -> None:
        with suppress(ConnectionError):  # the process is gone: the ingest sees that itself
            await telling
