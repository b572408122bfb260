"""A video as a seekable stream of proven bytes, whether it is here, elsewhere, or half of each."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from headwater.errors import ContentChanged, NotFound
from headwater.transfer.port import Blocks
from headwater.transfer.swarm import Swarm
from headwater.wire.ids import BLOCK_BYTES

__all__ = ["Place", "Reader", "Reading"]

CHUNK_BLOCKS = 32
"""What is handed over at once: 512 KiB."""
FIRST_AHEAD_BLOCKS = 32
"""Looked ahead at first, 512 KiB; then as much again as was read: less in the way of a seek."""
BEGIN_AHEAD_BLOCKS = 64
"""The same where a file begins, with its index."""
STEP_BLOCKS = 32
"""What is looked ahead at ends at a multiple of this: it moves on in requests worth their cost."""
MIN_AHEAD_BYTES = 4 * 1024 * 1024
MAX_AHEAD_BYTES = 32 * 1024 * 1024
AHEAD_S = 20.0

_ids = itertools.count(1)


class Place(Protocol):
    """Where one video's blocks lie and come from, asked anew for each chunk: while somebody reads,
    a copy may be handed over, dropped, or shared from elsewhere on this machine."""

    def blocks(self) -> Blocks:
        """Raises: NotFound, ContentChanged when there can be none any more."""

    def swarm(self, blocks: Blocks) -> Swarm:
        """What fetches them, started if it does not run."""

    def is_taken_back(self) -> bool:
        """Whether it is shared no more: nobody need turn up with the rest."""

    def in_use(self) -> AbstractContextManager[None]:
        """Around a reading: until a while after it the blocks are not dropped unasked."""


@dataclass(slots=True, eq=False)
class Reading:
    """One range being read; a later one of the same session ends it."""

    id: int
    first_block: int
    is_current: bool = True
    swarm: Swarm | None = None
    """The one that was told last of what this range needs."""

    def fresh(self, block: int) -> bytes | None:
        """Proven bytes from this block on that came a moment ago."""
        return self.swarm.fresh(block) if self.swarm is not None else None

    def unwant(self) -> None:
        if self.swarm is not None:
            self.swarm.schedule.unwant(self.id)
            self.swarm.wake()

    def end(self) -> None:
        """Its reader ends early, also where it waits."""
        self.is_current = False
        self.unwant()
        if self.swarm is not None:
            self.swarm.announce_arrival()


class Reader:
    """Reads one video. `sessions`: what each player of it reads now."""

    def __init__(
        self,
        place: Place,
        media_type: str,
        duration_ms: int,
        sessions: dict[str, Reading],
    ) -> None:
        """Raises: as Place.blocks."""
        self._place, self._sessions = place, sessions
        self.media_type = media_type
        self.size_bytes = place.blocks().shape.size_bytes
        bytes_per_s = self.size_bytes * 1000 / duration_ms if duration_ms else MIN_AHEAD_BYTES
        ahead = min(max(bytes_per_s * AHEAD_S, MIN_AHEAD_BYTES), MAX_AHEAD_BYTES)
        self._ahead_blocks = int(ahead) // BLOCK_BYTES

    async def read(
        self, start: int, length: int, *, session: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes [start, start + length) as they come, in order, proven.

        Waits while nobody who has them can be reached. Ends early when the same session reads
        elsewhere. Raises: NotFound once it was taken back and nobody who is there has the rest;
        ContentChanged, StorageFull."""
        at, end = start, min(start + length, self.size_bytes)
        with self._place.in_use(), self._reading(start // BLOCK_BYTES, session) as reading:
            while at < end and reading.is_current:
                stored = self._place.blocks()
                blocks = stored.shape.blocks_for(at, end - at)[:CHUNK_BLOCKS]
                chunk = reading.fresh(blocks.start)
                if chunk is None:
                    chunk = await self._stored(reading, stored, blocks)
                if chunk is None:
                    continue
                head = at - blocks.start * BLOCK_BYTES
                part = chunk[head : head + end - at] if head or len(chunk) > end - at else chunk
                at += len(part)
                yield part
                self._look_ahead(reading, stored, at // BLOCK_BYTES)

    async def _stored(self, reading: Reading, stored: Blocks, blocks: range) -> bytes | None:
        """The first of these blocks; None where it is worth looking again. Raises: as
        _await_block."""
        missing = stored.missing(blocks.start, len(blocks))
        here = (missing[0].start if missing else blocks.stop) - blocks.start
        if missing and not here:
            await self._await_block(reading, stored, blocks.start)
            return None
        if missing:
            self._look_ahead(reading, stored, missing[0].start)
        try:
            return await asyncio.to_thread(stored.verified_read, blocks.start, here)
        except (NotFound, ContentChanged):
            return None  # it was here a moment ago: it is looked for again

    @contextmanager
    def _reading(self, first_block: int, session: str | None) -> Iterator[Reading]:
        reading = Reading(next(_ids), first_block)
        if session is not None:
            before = self._sessions.get(session)
            if before is not None:
                before.end()
            self._sessions[session] = reading
        try:
            yield reading
        finally:
            if session is not None and self._sessions.get(session) is reading:
                del self._sessions[session]
            reading.unwant()

    def _look_ahead(self, reading: Reading, stored: Blocks, block: int) -> None:
        """Tell the schedule where the reader is, so that what comes next is on its way."""
        left = stored.shape.blocks - block
        if left > 0 and reading.is_current and not stored.is_whole:
            swarm = self._place.swarm(stored)
            if swarm is not reading.swarm:
                reading.unwant()
                reading.swarm, swarm.trouble = swarm, None
            least = FIRST_AHEAD_BLOCKS if reading.first_block else BEGIN_AHEAD_BLOCKS
            ahead = min(self._ahead_blocks, max(least, block - reading.first_block))
            ahead += -(block + ahead) % STEP_BLOCKS
            if stored.window_blocks is not None:
                ahead = min(ahead, stored.window_blocks // 2)
            swarm.schedule.want(reading.id, block, min(ahead, left))
            swarm.wake()

    async def _await_block(self, reading: Reading, stored: Blocks, block: int) -> None:
        """Until something changed. Raises: NotFound, StorageFull when it cannot come any more."""
        self._look_ahead(reading, stored, block)
        swarm = self._place.swarm(stored)
        if swarm.trouble is not None:
            raise swarm.trouble
        if not swarm.schedule.can_come(block, 1) and self._place.is_taken_back():
            raise NotFound("it is no longer shared, and nobody who is here has the rest of it")
        if not stored.has(block, 1) and reading.fresh(block) is None:
            await swarm.arrival()
