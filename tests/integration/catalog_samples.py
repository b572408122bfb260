"""Authors that sign, and neighbours that carry messages from one Gossip to another."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.catalog.bounds import Bounds
from headwater.catalog.catalogue import Catalogue
from headwater.catalog.gossip import Gossip
from headwater.errors import RemoteProtocolError
from headwater.wire.frames import HEADER_BYTES, decode, encode
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.items import (
    Holding,
    Item,
    LiveEntry,
    NodeRecord,
    Retraction,
    VideoEntry,
    sign_item,
)
from headwater.wire.live import live_id
from headwater.wire.messages import Control, Digest, Items, Summary, Want, control_decoder

__all__ = ["NOW_MS", "Author", "Clock", "TestNode", "joined", "video_id"]

NOW_MS = 1_760_000_000_000


def video_id(number: int) -> VideoId:
    return VideoId(hashlib.sha256(b"video %d" % number).digest())


class Clock:
    """Milliseconds that pass when told to."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


class Author:
    """A key, and what it says."""

    def __init__(self, number: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
        self.id = NodeId(self._key.public_key().public_bytes_raw())

    def entry(self, number: int, **changes: Any) -> Item:
        title = f"Video {number}"
        fields: dict[str, Any] = {
            **{"version": NOW_MS, "video": video_id(number), "pieces_root": bytes(32)},
            **{"piece_bytes": 262144, "size_bytes": 1000 + number, "title": title},
            **{"file_name": f"{changes.get('title', title)}.mp4", "media_type": "video/mp4"},
            **{"node": self.id, "created_ms": NOW_MS - 1000 + number},
        }
        return sign_item(self._key, VideoEntry(**{**fields, **changes}))

    def retraction(self, number: int, version: int = NOW_MS + 1) -> Item:
        return sign_item(self._key, Retraction(version, video_id(number)))

    def holding(self, number: int, state: Any = "whole", version: int = NOW_MS) -> Item:
        return sign_item(self._key, Holding(version, video_id(number), state))

    def live(self, number: int, version: int = NOW_MS, **changes: Any) -> Item:
        stream_key = number.to_bytes(32, "big")
        fields: dict[str, Any] = {
            **{"live": live_id(self.id, stream_key), "stream_key": stream_key, "node": self.id},
            **{"title": f"Live {number}", "created_ms": NOW_MS - 1000 + number},
        }
        return sign_item(self._key, LiveEntry(version, **{**fields, **changes}))

    def record(self, version: int = NOW_MS, **changes: Any) -> Item:
        fields: dict[str, Any] = {"name": "node", "addresses": ("127.0.0.1:4711",)}
        return sign_item(self._key, NodeRecord(version, **{**fields, **changes}))


class FakeNeighbour:
    """What one node sees of another: messages cross as bytes, in order, a moment later."""

    def __init__(self, here: "TestNode", there: "TestNode") -> None:
        self._here, self._there = here, there
        self.node, self.signed = there.author.id, there.author.record().signed
        self.sent: list[Control] = []
        self.is_up = True

    def send(self, message: Control, /) -> None:
        self.sent.append(message)
        frame = encode(message)
        asyncio.get_running_loop().call_soon(self._arrive, frame)

    def _arrive(self, frame: bytes) -> None:
        message = decode(frame[HEADER_BYTES:], control_decoder)
        assert isinstance(message, Digest | Summary | Want | Items)
        other_side = self._there.neighbours.get(self._here.author.id)
        if other_side is None or not self.is_up:
            return
        try:
            self._there.gossip.control(other_side, message)
        except RemoteProtocolError as error:
            self._there.ban(self._here.author.id, str(error))


class TestNode:
    """A real catalogue and a real Gossip, without a network."""

    __test__ = False

    def __init__(self, path: Path, number: int, bounds: Bounds | None = None) -> None:
        self.author, self.clock = Author(number), Clock()
        self.catalogue = Catalogue(path / f"node{number}.db", self.clock, bounds)
        self.gossip = Gossip(self.catalogue, self)
        self.neighbours: dict[NodeId, FakeNeighbour] = {}
        self.banned: dict[NodeId, str] = {}
        self.changes: list[Item] = []
        self.gossip.on_change(self._changed)
        self._news = asyncio.Event()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for what news or a ban bring about."""
        while not is_so():
            self._news.clear()
            await self._news.wait()

    async def holds(self, *items: Item) -> None:
        """Wait until each of these is in the catalogue."""
        await self.until(lambda: all(self.catalogue.item(i.key) == i for i in items))

    def _changed(self, items: list[Item]) -> None:
        self.changes.extend(items)
        self._news.set()

    def ban(self, node: NodeId, reason: str, /) -> None:
        self.banned[node] = reason
        self._news.set()
        neighbour = self.neighbours.pop(node, None)
        if neighbour is not None:
            neighbour.is_up = False
            self.gossip.neighbour_down(neighbour)

    def meet(self, other: "TestNode") -> None:
        for here, there in ((self, other), (other, self)):
            here.neighbours[there.author.id] = FakeNeighbour(here, there)
        for here, there in ((self, other), (other, self)):
            here.gossip.neighbour_up(here.neighbours[there.author.id])

    def part(self, other: "TestNode") -> None:
        for here, there in ((self, other), (other, self)):
            neighbour = here.neighbours.pop(there.author.id)
            neighbour.is_up = False
            here.gossip.neighbour_down(neighbour)


@asynccontextmanager
async def joined(*nodes: TestNode) -> AsyncIterator[None]:
    """The nodes' gossip runs; each knows the next."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(node.gossip.run()) for node in nodes]
        for one, next_one in pairwise(nodes):
            one.meet(next_one)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
    for node in nodes:
        node.catalogue.close()
