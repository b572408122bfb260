"""All swarms that run now: each is started by who first needs it, and ends when nobody does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from headwater.errors import NodeError, NotFound
from headwater.transfer.port import Blocks
from headwater.transfer.swarm import Swarm
from headwater.wire.ids import VideoId

__all__ = ["Swarms"]

log = logging.getLogger(__name__)

LINGER_S = 15.0
"""A swarm that nobody reads from any more is kept for this long: players come back."""
TICK_S = 1.0


@dataclass(slots=True, eq=False)
class _Active:
    swarm: Swarm
    task: "asyncio.Task[None]"
    companion: "asyncio.Task[None]"
    copies: int = 0
    idle_since: float | None = None


class Swarms:
    """One for each place that blocks go to. `make` builds it, `accompany` runs beside it for as
    long as it does, `ended` hears that it has gone."""

    def __init__(
        self,
        make: Callable[[Blocks], Swarm],
        accompany: Callable[[Swarm], Awaitable[None]],
        ended: Callable[[Blocks], None],
        clock: Callable[[], float],
    ) -> None:
        self._make, self._accompany, self._ended, self._clock = make, accompany, ended, clock
        self._active: dict[Blocks, _Active] = {}
        self._group: asyncio.TaskGroup | None = None

    def __iter__(self) -> Iterator[Swarm]:
        return iter([active.swarm for active in self._active.values()])

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            while True:
                await asyncio.sleep(TICK_S)
                self._retire_idle()

    def of(self, video: VideoId) -> list[Swarm]:
        return [active.swarm for blocks, active in self._active.items() if blocks.video == video]

    def enter(self, blocks: Blocks) -> Swarm:
        """The swarm that fetches these blocks, started if it does not run."""
        return self._enter(blocks).swarm

    @contextmanager
    def for_copy(self, blocks: Blocks) -> Iterator[Swarm]:
        """The same, which fetches all that is missing until the block is left."""
        active = self._enter(blocks)
        swarm = active.swarm
        active.copies += 1
        swarm.trouble = None
        swarm.hurry_info()
        try:
            yield swarm
        finally:
            active.copies -= 1
            if not active.copies:
                swarm.schedule.want_all(False)
                swarm.wake()

    def stop(self, video: VideoId) -> None:
        """End the fetching of this video at once; who waits for it looks what became of it."""
        for swarm in self.of(video):
            self._retire(swarm.stored)

    def _enter(self, blocks: Blocks) -> _Active:
        active = self._active.get(blocks)
        if active is None:
            if self._group is None:
                raise NotFound("the node is not running")
            swarm = self._make(blocks)
            task = self._group.create_task(self._run(swarm), name="transfers.swarm")
            companion = self._group.create_task(self._beside(swarm), name="transfers.beside")
            active = self._active[blocks] = _Active(swarm, task, companion)
        active.idle_since = None
        return active

    async def _run(self, swarm: Swarm) -> None:
        try:
            await swarm.run()
        except* NodeError as errors:
            log.warning("transfers.swarm_failed", extra={"reason": str(errors.exceptions[0])})
            if swarm.stored in self._active:
                self._retire(swarm.stored)

    async def _beside(self, swarm: Swarm) -> None:
        await self._accompany(swarm)

    def _retire_idle(self) -> None:
        now = self._clock()
        for blocks, active in list(self._active.items()):
            if active.copies or active.swarm.schedule.has_readers():
                active.idle_since = None
            elif active.idle_since is None:
                active.idle_since = now
            elif now - active.idle_since > LINGER_S:
                self._retire(blocks)

    def _retire(self, blocks: Blocks) -> None:
        active = self._active.pop(blocks)
        active.task.cancel()
        active.companion.cancel()
        active.swarm.announce_arrival()
        self._ended(blocks)
