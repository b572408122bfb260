"""Bytes of a recording that somebody makes right now (a browser), on their way to the ingest."""

import asyncio
from collections import deque
from typing import Final

from headwater.errors import Conflict, Unavailable

__all__ = ["END", "Feed"]

MAX_HELD_BYTES = 4 * 1024 * 1024
"""Waiting for the process that reads them: seconds of a live. Then the writer waits."""

END: Final = b""
"""Taken out where one recording ends, and another one may begin."""


class Feed:
    """One writer at a time, one reader. Shape: holds MAX_HELD_BYTES, and what is written last.

    A recording begins with `begin()` and ends with `end()`; after it another one may begin, for
    instance when the browser comes back. `close()` ends the live."""

    def __init__(self) -> None:
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._changed = asyncio.Condition()
        self._is_open = False
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    async def begin(self) -> None:
        """Raises: Conflict while another recording runs; Unavailable after the end."""
        async with self._changed:
            if self._is_closed:
                raise Unavailable("this live has ended: start a new one")
            if self._is_open:
                raise Conflict("this live gets its pictures from elsewhere already: end that first")
            self._is_open = True

    async def write(self, chunk: bytes) -> None:
        """Waits while the ingest is behind. Raises: Unavailable when the live has ended."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._held_bytes < MAX_HELD_BYTES or self._is_closed
            )
            if self._is_closed or not self._is_open:
                raise Unavailable("this live has ended: start a new one")
            if chunk:
                self._held.append(chunk)
                self._held_bytes += len(chunk)
                self._changed.notify_all()

    async def end(self) -> None:
        """The recording is complete; harmless when none runs."""
        async with self._changed:
            if self._is_open:
                self._is_open = False
                self._held.append(END)
                self._changed.notify_all()

    async def close(self) -> None:
        """No more will come."""
        await self.end()
        async with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    async def take(self) -> bytes | None:
        """The next bytes, END between recordings, None after the last."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._held or self._is_closed)
            if not self._held:
                return None
            chunk = self._held.popleft()
            self._held_bytes -= len(chunk)
            self._changed.notify_all()
            return chunk
