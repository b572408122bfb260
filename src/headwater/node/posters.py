"""Fetches the posters of what is new in the mesh, so that the library is full when it is opened."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable

from headwater.errors import NodeError
from headwater.transfer.transfers import Transfers
from headwater.wire.ids import VideoId
from headwater.wire.items import Item, VideoEntry

__all__ = ["Posters"]

log = logging.getLogger(__name__)

MAX_WAITING = 500
"""Of the newest; the others' posters are fetched when somebody scrolls to them."""
AT_ONCE = 2
QUIET_S = 1.0
"""News of so many videos as a new node hears goes first."""


class Posters:
    """A queue of posters to fetch. Shape: at most MAX_WAITING, the newest of them."""

    def __init__(self, transfers: Transfers, *, quiet_s: float = QUIET_S) -> None:
        self._transfers, self._quiet_s = transfers, quiet_s
        self._heard = asyncio.Event()
        self._waiting: deque[tuple[bytes, VideoId]] = deque(maxlen=MAX_WAITING)
        self._has_work = asyncio.Event()

    def heard(self, items: Iterable[Item]) -> None:
        """Note the posters of the videos among these items."""
        for item in items:
            if isinstance(item.body, VideoEntry) and item.body.poster:
                self._waiting.append((item.body.poster, VideoId(item.body.video)))
                self._has_work.set()
                self._heard.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._fetch(), name="posters.fetch")

    async def _fetch(self) -> None:
        while True:
            while not self._waiting:
                self._has_work.clear()
                await self._has_work.wait()
            await self._until_quiet()
            if not self._waiting:
                continue
            poster, video = self._waiting.pop()
            try:
                await self._transfers.blob(poster, video)
            except NodeError as error:
                log.debug("posters.not_fetched", extra={"reason": str(error)})

    async def _until_quiet(self) -> None:
        while self._heard.is_set():
            self._heard.clear()
            await asyncio.sleep(self._quiet_s)
