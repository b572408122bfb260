"""Everything of one live that is on this node: the newest parts in memory, older ones on disk."""

import asyncio
import logging
from collections import deque

from headwater.errors import StorageFull
from headwater.live.limits import LiveLimits
from headwater.live.part import LivePart
from headwater.live.ring import Ring
from headwater.live.spool import Spool

__all__ = ["Shelf"]

log = logging.getLogger(__name__)

MAX_INITS = 64
"""Encoder restarts whose init is kept in memory; they take about 1 KB each."""
MAX_INIT_BYTES = 64 * 1024
"""A larger one is no init worth keeping beyond the ring."""
WRITE_AFTER_S = 0.02
"""What was delivered is passed on first: disk work takes the interpreter from those who do it."""
MAX_UNWRITTEN_BYTES = 64 * 1024 * 1024
"""Delivered, and waiting for a disk that hangs; more, and the recording ends there."""


class Shelf:
    """Belongs to the loop's thread; disk work goes to others. `run` writes what was delivered."""

    def __init__(self, spool: Spool | None, limits: LiveLimits) -> None:
        self.ring = Ring(max_bytes=limits.ring_bytes, max_s=limits.ring_s)
        self.spool = spool
        self.problem = ""
        """Why nothing is written any more, for people."""
        self._inits: dict[int, LivePart] = {}
        self._unwritten: deque[LivePart] = deque()
        self._unwritten_bytes = 0
        self._has_work = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def add(self, part: LivePart) -> None:
        """It was checked: keep it for as long as there is room."""
        self.ring.add(part)
        if part.info.is_init and len(part.frame) <= MAX_INIT_BYTES:
            self._inits[part.seq] = part
            if len(self._inits) > MAX_INITS:
                del self._inits[min(self._inits)]

    def at_hand(self, seq: int) -> LivePart | None:
        """From memory."""
        return self.ring.get(seq) or self._inits.get(seq)

    async def find(self, seq: int) -> LivePart | None:
        """From memory or disk."""
        part = self.at_hand(seq)
        if part is None and self.spool is not None and self.spool.has(seq):
            part = await asyncio.to_thread(self.spool.read, seq)
        return part

    def next_key(self, since: int) -> int | None:
        """The first keyframe here at or after that number."""
        found = (self.spool.next_key(since) if self.spool else None, self.ring.next_key(since))
        return min((key for key in found if key is not None), default=None)

    def key_at(self, pts_us: int) -> int | None:
        """The keyframe shown at that time or, if that is gone, the oldest one."""
        in_memory = self.ring.key_at(pts_us)
        is_there = in_memory is not None and self._pts_us(in_memory) <= pts_us
        if is_there or self.spool is None:
            return in_memory
        on_disk = self.spool.key_at(pts_us)
        return in_memory if on_disk is None else on_disk

    def oldest_key(self) -> tuple[int, int] | None:
        """Its number and when it is shown."""
        on_disk = self.spool.oldest_key() if self.spool else None
        if on_disk is not None:
            return on_disk
        key = self.ring.next_key(0)
        return None if key is None else (key, self._pts_us(key))

    def _pts_us(self, seq: int) -> int:
        part = self.ring.get(seq)
        return part.info.pts_us if part else 0

    # Writing.

    def record(self, part: LivePart) -> None:
        """Delivered: the next to be written, where there is a spool."""
        if self.spool is None or self.problem or part.seq <= self.spool.last:
            return
        self._unwritten.append(part)
        self._unwritten_bytes += len(part.frame)
        if self._unwritten_bytes > MAX_UNWRITTEN_BYTES:
            self._stop_writing("the disk is too slow for the recording, which ends here")
        self._is_idle.clear()
        self._has_work.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._has_work.wait()
            await asyncio.sleep(WRITE_AFTER_S)
            self._has_work.clear()
            parts, self._unwritten = list(self._unwritten), deque()
            if parts and self.spool is not None and not self.problem:
                try:
                    await asyncio.to_thread(self.spool.append, parts)
                except StorageFull as error:
                    self._stop_writing(str(error))
            self._unwritten_bytes = sum(len(part.frame) for part in self._unwritten)
            if not self._unwritten:
                self._is_idle.set()

    async def flush(self) -> None:
        """Until all that was delivered is written; `run` must be running."""
        await self._is_idle.wait()

    def _stop_writing(self, reason: str) -> None:
        log.warning("live.recording_stopped", extra={"reason": reason})
        self.problem = reason
        self._unwritten.clear()
