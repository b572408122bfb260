"""A node's shares with a real store and a real catalogue, and events to wait for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.catalog.catalogue import Catalogue
from headwater.errors import ContentChanged
from headwater.node.activity import Activity, Job
from headwater.node.config import Config
from headwater.node.events import Events
from headwater.node.shares import Shared, Shares
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.wire.ids import VideoId
from headwater.wire.items import Item, VideoEntry

__all__ = ["World", "world"]

KEY = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")


class World:
    def __init__(self, state: Path, **config: Any) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.config = Config(state=state, **config)
        self.store = Store(state, self.config.store)
        self.catalogue = Catalogue(state / "catalogue.db", lambda: time_ns() // 1_000_000)
        self.events = Events()
        self.activity = Activity(self.events, monotonic)
        self.told: list[Item] = []
        self.shares = Shares(
            self.config,
            self.store,
            KEY,
            self._publish,
            self.catalogue,
            self.activity,
            self.events,
            settle_s=0.3,
        )

    def _publish(self, items: Sequence[Item]) -> None:
        self.told += items
        self.catalogue.add(items)

    def entries(self) -> dict[str, VideoEntry]:
        """What the mesh may play, by title."""
        return {found.entry.title: found.entry for found in self.catalogue.search("").videos}

    def stored(self, title: str) -> StoredVideo:
        stored = self.store.get(VideoId(self.entries()[title].video))
        assert stored is not None
        return stored

    def path(self, title: str) -> Path | None:
        """Where its bytes lie; None while that changes."""
        entry = self.entries().get(title)
        stored = self.store.get(VideoId(entry.video)) if entry else None
        return stored.path if stored else None

    def reads(self, title: str) -> bytes:
        """The file's first block as a viewer gets it; empty while it cannot be had."""
        try:
            return self.stored(title).read(0, 1) if title in self.entries() else b""
        except ContentChanged:
            return b""

    def shared(self) -> dict[str, Shared]:
        return {shared.path.name: shared for shared in self.shares.shared()}

    async def until(self, holds: Callable[[], bool]) -> None:
        """Looks again whenever a job begins, goes on or ends, and four times a second."""
        async with asyncio.timeout(15), self.events.listen() as events:
            while not holds():
                try:
                    async with asyncio.timeout(0.25):
                        await events.get()
                except TimeoutError:
                    continue

    async def ended(self, job: Job) -> Job:
        await self.until(lambda: job.is_ended)
        return job


@asynccontextmanager
async def world(state: Path, **config: Any) -> AsyncIterator[World]:
    """Runs it; at the end everything is closed, as a node does it."""
    made = World(state, **config)
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(made.shares.run(), name="world.shares")
            try:
                yield made
            finally:
                running.cancel()
    finally:
        made.store.close()
        made.catalogue.close()
