"""Whole nodes inside the test's process, over real iroh links on loopback, and a video to share."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from headwater.node.config import (
    Config,
    DiscoveryConfig,
    LimitsConfig,
    LinkConfig,
    StoreConfig,
    WebConfig,
)
from headwater.node.node import Node
from headwater.store.torrent import Torrent
from headwater.torrent.create import create
from headwater.wire.ids import VideoId
from headwater.wire.items import VideoEntry, sign_item

__all__ = ["Published", "make_file", "party", "publish", "read_all", "until"]

WAIT_S = 10.0


@dataclass(frozen=True)
class Published:
    video: VideoId
    path: Path
    torrent: Torrent
    leaves: bytes


async def until(condition: Callable[[], object], *, wait_s: float = WAIT_S) -> None:
    """Until `condition()` holds; fails the test when it does not in good time."""
    async with asyncio.timeout(wait_s):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0.005)


def make_file(path: Path, size_bytes: int) -> Published:
    """A file of noise with its info-dict."""
    path.write_bytes(os.urandom(size_bytes))
    torrent, leaves = create(lambda done, total: None, path, path.name)
    return Published(torrent.video, path, torrent, leaves)


@asynccontextmanager
async def party(
    state: Path,
    *joined: Node,
    limits: LimitsConfig | None = None,
    store: StoreConfig | None = None,
    only: tuple[str, ...] = (),
    line_bytes_per_s: int = 0,
) -> AsyncIterator[Node]:
    """A running node that dials those in `joined`. `only`: names of those that may be its
    neighbours; empty: all. `line_bytes_per_s`: what its links carry out of it; 0: no limit."""
    config = Config(
        state=state,
        name=state.name,
        link=LinkConfig(bind="127.0.0.1:0", only=only, up_bytes_per_s=line_bytes_per_s),
        discovery=DiscoveryConfig(
            lan=False, join=tuple(node.page.removeprefix("http://") for node in joined)
        ),
        limits=limits or LimitsConfig(),
        store=store or StoreConfig(),
        web=WebConfig(http="127.0.0.1:0", http_is_default=False),
    )
    state.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nobody else waits in this loop
    node = Node(config)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(node.run(), name=f"party.{state.name}")
        ready = group.create_task(node.ready.wait(), name="party.ready")
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        wanted = {other.identity.node for other in joined}
        await until(lambda: wanted <= node.neighbours.connected().keys())
        try:
            yield node
        finally:
            node.stop()


def publish(node: Node, published: Published, *, has_it: bool = True) -> None:
    """Have `node` announce the file, and hold it unless told otherwise."""
    torrent = published.torrent
    if has_it:
        node.store.adopt(torrent, published.leaves, published.path, owned=False)
    entry = VideoEntry(
        version=_next_version(),
        video=torrent.video,
        pieces_root=torrent.pieces_root,
        piece_bytes=torrent.shape.piece_bytes,
        size_bytes=torrent.shape.size_bytes,
        title=published.path.stem,
        file_name=published.path.name,
        media_type="video/mp4",
        node=node.identity.node,
    )
    node.gossip.publish([sign_item(node.identity.key, entry)])


_NUMBERS = count()


def _next_version() -> int:
    """About milliseconds since 1970, and no two alike."""
    return time.time_ns() // 1_000_000 + next(_NUMBERS)


async def read_all(node: Node, video: VideoId, start: int = 0, length: int = 1 << 40) -> bytes:
    """What a player at `node` would get."""
    return b"".join([chunk async for chunk in node.transfers.reader(video).read(start, length)])
