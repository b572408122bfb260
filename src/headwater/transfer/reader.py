"""A video as a seekable stream of proven bytes, whether it is here, elsewhere, or half of each."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from headwater.errors import NotFound
from headwater.transfer.port import Blocks
from headwater.transfer.swarm import Swarm
from headwater.wire.ids import BLOCK_BYTES

__all__ = ["Reader"]

CHUNK_BLOCKS = 32
"""What is handed over at once: 512 KiB."""
FIRST_AHEAD_BLOCKS = 64
"""Looked ahead at first, 1 MiB; then as much again as was read: less in the way of a seek."""
MIN_AHEAD_BYTES = 4 * 1024 * 1024
MAX_AHEAD_BYTES = 32 * 1024 * 1024
AHEAD_S = 20.0

_ids = itertools.count(1)


@dataclass(slots=True, eq=False)
class Reading:
    """One range being read; a later one of the same session ends it."""

    id: int
    first_block: int
    is_current: bool = True


class Reader:
    """Reads one video. `enter_swarm` gives the swarm to wait on when something is missing."""

    def __init__(
        self,
        stored: Blocks,
        media_type: str,
        duration_ms: int,
        enter_swarm: Callable[[], Swarm],
        sessions: dict[str, Reading],
        max_ahead_bytes: int = MAX_AHEAD_BYTES,
    ) -> None:
        self._stored, self._enter_swarm = stored, enter_swarm
        self._sessions = sessions
        self.media_type = media_type
        self.size_bytes = stored.shape.size_bytes
        bytes_per_s = self.size_bytes * 1000 / duration_ms if duration_ms else MIN_AHEAD_BYTES
        ahead = min(max(bytes_per_s * AHEAD_S, MIN_AHEAD_BYTES), max_ahead_bytes)
        self._ahead_blocks = int(ahead) // BLOCK_BYTES

    async def read(
        self, start: int, length: int, *, session: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes [start, start + length) as they come, in order, proven.

        Waits while nobody who has them can be reached. Ends early when the same session reads
        elsewhere. Raises: ContentChanged, StorageFull."""
        reading = self._open(start // BLOCK_BYTES, session)
        at, end = start, min(start + length, self.size_bytes)
        try:
            while at < end and reading.is_current:
                blocks = self._stored.shape.blocks_for(at, end - at)[:CHUNK_BLOCKS]
                missing = self._stored.missing(blocks.start, len(blocks))
                here = (missing[0].start if missing else blocks.stop) - blocks.start
                if missing and not here:
                    await self._await_block(reading, blocks.start)
                    continue
                if missing:
                    self._look_ahead(reading, missing[0].start)
                try:
                    chunk = await asyncio.to_thread(self._stored.verified_read, blocks.start, here)
                except NotFound:
                    continue  # given back in the meantime: it is fetched again
                head = at - blocks.start * BLOCK_BYTES
                part = chunk[head : head + end - at] if head or len(chunk) > end - at else chunk
                at += len(part)
                yield part
                self._look_ahead(reading, at // BLOCK_BYTES)
        finally:
            self._close(reading, session)

    def _open(self, first_block: int, session: str | None) -> Reading:
        reading = Reading(next(_ids), first_block)
        if session is not None:
            before = self._sessions.get(session)
            if before is not None:
                before.is_current = False
                if not self._stored.is_whole:
                    swarm = self._enter_swarm()
                    swarm.schedule.unwant(before.id)
                    swarm.announce_arrival()
            self._sessions[session] = reading
        return reading

    def _close(self, reading: Reading, session: str | None) -> None:
        if session is not None and self._sessions.get(session) is reading:
            del self._sessions[session]
        if not self._stored.is_whole:
            swarm = self._enter_swarm()
            swarm.schedule.unwant(reading.id)
            swarm.wake()

    def _look_ahead(self, reading: Reading, block: int) -> None:
        """Tell the schedule where the reader is, so that what comes next is on its way."""
        left = self._stored.shape.blocks - block
        if left > 0 and reading.is_current and not self._stored.is_whole:
            swarm = self._enter_swarm()
            ahead = max(FIRST_AHEAD_BLOCKS, block - reading.first_block)
            swarm.schedule.want(reading.id, block, min(ahead, self._ahead_blocks, left))
            swarm.wake()

    async def _await_block(self, reading: Reading, block: int) -> None:
        self._look_ahead(reading, block)
        swarm = self._enter_swarm()
        if swarm.trouble is not None:
            raise swarm.trouble
        if not self._stored.has(block, 1):
            await swarm.arrival()
