"""A node in memory, for the HTTP side: real Activity and Events, everything else by hand."""

import asyncio
import contextlib
import hashlib
import itertools
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from live_samples import FakeLives

from headwater.errors import NodeError, NotFound
from headwater.node.activity import Activity, Job
from headwater.node.config import Config, WebConfig
from headwater.node.events import Event, Events
from headwater.node.settings import Changes
from headwater.node.shares import TakenBack
from headwater.store.shape import VideoShape
from headwater.web.server import WebServer
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.items import Item, NodeRecord, Signed, VideoEntry, sign_item

CHUNK = 64 * 1024


@dataclass
class FakeEntry:
    entry: VideoEntry
    channel: NodeId
    video: VideoId


@dataclass
class FakeFound:
    total: int
    videos: list[FakeEntry]


@dataclass
class FakeHolders:
    whole: tuple[NodeId, ...] = ()
    partial: tuple[NodeId, ...] = ()


@dataclass
class FakeStored:
    shape: VideoShape
    owned: bool = False
    source: Path | None = None
    problem: str = ""
    have_blocks: int = 0

    @property
    def is_whole(self) -> bool:
        return self.have_blocks == self.shape.blocks


@dataclass
class FakeCatalogue:
    entries: dict[VideoId, FakeEntry] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    held: dict[VideoId, FakeHolders] = field(default_factory=dict)

    def entry(self, video: VideoId) -> FakeEntry | None:
        return self.entries.get(video)

    def search(
        self,
        words: str,
        *,
        limit: int = 50,
        offset: int = 0,
        channel: NodeId | None = None,
        videos: Collection[VideoId] | None = None,
    ) -> FakeFound:
        found = [
            e
            for e in self.entries.values()
            if words.lower() in e.entry.title.lower()
            and channel in (None, e.channel)
            and (videos is None or e.video in videos)
        ]
        return FakeFound(len(found), found[offset : offset + limit])

    def resolve(self, text: str) -> list[FakeEntry]:
        return [e for e in self.entries.values() if text in (e.video.hex(), e.entry.title)]

    def holders(self, video: VideoId) -> FakeHolders:
        return self.held.get(video, FakeHolders())

    def nodes(self) -> list[Item]:
        return self.items

    def record(self, node: NodeId) -> NodeRecord | None:
        bodies = [i.body for i in self.items if i.author == node]
        return next((b for b in bodies if isinstance(b, NodeRecord)), None)

    def last_name(self, node: NodeId) -> str:
        record = self.record(node)
        return record.name if record is not None else ""


@dataclass
class FakeStore:
    stored: dict[VideoId, FakeStored] = field(default_factory=dict)
    blobs: dict[bytes, bytes] = field(default_factory=dict)

    def videos(self) -> list[VideoId]:
        return list(self.stored)

    def get(self, video: VideoId) -> FakeStored | None:
        return self.stored.get(video)

    def get_blob(self, sha256: bytes) -> bytes | None:
        return self.blobs.get(sha256)


@dataclass
class FakeReader:
    """Reads from memory. Past `stalls_at` nobody has it; from `fails_at` on reading raises."""

    payload: bytes
    media_type: str
    stalls_at: int | None = None
    fails_at: tuple[int, NodeError] | None = None
    reads: list[tuple[int, int, str | None]] = field(default_factory=list)
    open_reads: int = 0
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def size_bytes(self) -> int:
        return len(self.payload)

    async def read(
        self, start: int, length: int, *, session: str | None = None
    ) -> AsyncGenerator[bytes]:
        self.reads.append((start, length, session))
        self.started.set()
        self.open_reads += 1
        try:
            at, end = start, min(start + length, len(self.payload))
            while at < end:
                if self.fails_at is not None and at >= self.fails_at[0]:
                    raise self.fails_at[1]
                if self.stalls_at is not None and at >= self.stalls_at:
                    self.stalled.set()
                    await asyncio.Event().wait()
                chunk = self.payload[at : min(at + CHUNK, end)]
                at += len(chunk)
                yield chunk
        finally:
            self.open_reads -= 1
            self.closed.set()


@dataclass
class FakeSource:
    node: NodeId
    bytes: int
    rate_bytes_s: float
    rtt_ms: float | None


@dataclass
class FakeOrigin:
    start: int
    end: int
    node: NodeId | None


@dataclass
class FakeSources:
    size_bytes: int
    nodes: Sequence[FakeSource] = ()
    ranges: Sequence[FakeOrigin] = ()
    waiting_for: Sequence[NodeId] = ()
    changed_on: Sequence[NodeId] = ()


@dataclass
class FakeTransfers:
    readers: dict[VideoId, FakeReader] = field(default_factory=dict)
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    views: dict[VideoId, FakeSources] = field(default_factory=dict)

    def reader(self, video: VideoId) -> FakeReader:
        if video not in self.readers:
            raise NotFound(f"no node has told of a video {video.hex()[:10]}")
        return self.readers[video]

    async def blob(self, sha256: bytes, hint: VideoId | None) -> bytes:
        if sha256 not in self.blobs:
            raise NotFound("no machine that can be reached now has this picture")
        return self.blobs[sha256]

    def sources(self, video: VideoId) -> FakeSources:
        return self.views.get(video) or FakeSources(self.reader(video).size_bytes)


@dataclass
class FakeFlow:
    total_bytes: int


class FakeTraffic:
    def __init__(self) -> None:
        self.up, self.down = FakeFlow(7000), FakeFlow(8000)

    def rates(self, node: NodeId, now: float) -> tuple[float, float]:
        return 2000.0, 1000.0


@dataclass
class FakeNeighbour:
    node: NodeId
    record: NodeRecord
    since_s: float
    rtt_s: float | None = 0.002

    def path(self) -> tuple[str, float | None]:
        return "direct 192.0.2.7:4711", 0.002


@dataclass
class FakeNeighbours:
    links: dict[NodeId, FakeNeighbour] = field(default_factory=dict)

    def connected(self) -> dict[NodeId, FakeNeighbour]:
        return self.links


@dataclass
class FakeShared:
    path: Path
    video: VideoId | None
    problem: str = ""


@dataclass
class FakeShares:
    activity: Activity
    shares: list[FakeShared] = field(default_factory=list)
    watched: list[Path] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)

    def share(
        self, path: Path, *, prepare: bool | None = None, title: str | None = None
    ) -> list[Job]:
        self.shares.append(FakeShared(path, None))
        return [self.activity.start("share", path.name)]

    def unshare(self, path: Path | None = None, video: VideoId | None = None) -> TakenBack:
        gone = [s for s in self.shares if s.path == path or (s.video and s.video == video)]
        if not gone:
            raise NotFound(f"{path or 'this video'} is not shared from here")
        self.shares = [s for s in self.shares if s not in gone]
        uploads = [s.path for s in gone if s.path.name in self.uploads]
        return TakenBack([s.video for s in gone if s.video], uploads)

    async def delete_upload(self, path: Path) -> None:
        if self.uploads.pop(path.name, None) is None:
            raise NotFound(f"{path} is no file that was uploaded to this node")

    async def receive_upload(
        self, name: str, chunks: AsyncIterator[bytes], total: int | None
    ) -> Job:
        self.uploads[name] = b"".join([chunk async for chunk in chunks])
        job = self.activity.start("upload", name)
        self.activity.progress(job, "receiving", len(self.uploads[name]), total or 0)
        return job

    def folders(self) -> list[Path]:
        return self.watched

    def shared(self) -> list[FakeShared]:
        return self.shares


@dataclass
class FakeIdentity:
    key: Ed25519PrivateKey

    @property
    def node(self) -> NodeId:
        return NodeId(self.key.public_key().public_bytes_raw())


class FakeNode:
    """Satisfies web/port.py's Node."""

    def __init__(self, *, http: str = "127.0.0.1:0", lan: bool = False) -> None:
        web = WebConfig(http=http, http_is_default=False, lan=lan)
        self.config = Config(state=Path("/tmp/nowhere"), name="Anna's laptop", web=web)
        self.identity = FakeIdentity(Ed25519PrivateKey.generate())
        self.catalogue, self.store = FakeCatalogue(), FakeStore()
        self.neighbours, self.transfers = FakeNeighbours(), FakeTransfers()
        self.traffic, self.lives = FakeTraffic(), FakeLives()
        self.events = Events()
        self.activity = Activity(self.events, time.monotonic)
        self.shares = FakeShares(self.activity)
        self.started_s = time.monotonic()
        self.default_name = "anna-thinkpad"
        self.page, self.token = "http://127.0.0.1:7333", "t0ken"
        self.blocked: dict[NodeId, str] = {}
        self.forgotten: list[VideoId] = []
        self.joined: list[str] = []
        self._numbers = itertools.count(1)

    @property
    def name(self) -> str:
        return self.config.name or self.default_name

    def say_at_start(self, **said: str) -> None:
        """As if this node had been started with these flags."""
        self.config = replace(self.config, said_at_start=said)

    def add(
        self,
        payload: bytes,
        *,
        title: str = "Holiday",
        file_name: str = "holiday.mp4",
        media_type: str = "video/mp4",
        here: bool = True,
        **facts: object,
    ) -> VideoId:
        """A video in the catalogue whose bytes can be read."""
        video = VideoId(hashlib.sha256(b"%d" % next(self._numbers) + payload[:64]).digest())
        entry = VideoEntry(
            version=1,
            video=video,
            pieces_root=bytes(32),
            piece_bytes=262144,
            size_bytes=len(payload),
            title=title,
            file_name=file_name,
            media_type=media_type,
            **{"plays": "direct", **facts},  # type: ignore[arg-type]
        )
        self.catalogue.entries[video] = FakeEntry(entry, self.identity.node, video)
        self.transfers.readers[video] = FakeReader(payload, media_type)
        if here:
            shape = VideoShape(len(payload), 262144)
            self.store.stored[video] = FakeStored(shape, have_blocks=shape.blocks)
        return video

    def meet(self, name: str, *, connected: bool = True) -> NodeId:
        """Another node of the mesh."""
        key = Ed25519PrivateKey.generate()
        record = NodeRecord(version=1, name=name)
        item = sign_item(key, record)
        self.catalogue.items.append(item)
        if connected:
            link = FakeNeighbour(item.author, record, time.monotonic() - 60)
            self.neighbours.links[item.author] = link
        return item.author

    def hello(self) -> Signed:
        return sign_item(self.identity.key, NodeRecord(version=1, name=self.config.name)).signed

    def invitation(self) -> str:
        return f"headwater://join/{self.identity.node.hex()}"

    async def join(self, address: str) -> NodeId:
        self.joined.append(address)
        return self.meet("Bob's PC")

    def block(self, node: NodeId) -> None:
        self.blocked[node] = self.catalogue.last_name(node)
        self.neighbours.links.pop(node, None)

    def unblock(self, node: NodeId) -> None:
        self.blocked.pop(node, None)

    async def change(self, changes: Changes) -> None:
        changes.by_key()
        self.config = changes.applied(self.config)
        self.events.publish(Event("settings"))

    def keep(self, video: VideoId) -> Job:
        return self.activity.start("get", "keep")

    def get(self, video: VideoId, directory: Path) -> Job:
        return self.activity.start("get", str(directory))

    def forget(self, video: VideoId) -> None:
        self.forgotten.append(video)


@dataclass
class Serving:
    """A server that runs, and a client of it."""

    node: FakeNode
    server: WebServer
    client: httpx.AsyncClient

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection: for what a well-behaved client does not do."""
        return await asyncio.open_connection(self.server.host, self.server.port)


@asynccontextmanager
async def serving(node: FakeNode) -> AsyncIterator[Serving]:
    server = WebServer(node, node.config.web)
    with contextlib.suppress(asyncio.CancelledError):
        async with (
            asyncio.TaskGroup() as group,
            httpx.AsyncClient(base_url=server.address, timeout=10) as client,
        ):
            running = group.create_task(server.run(), name="test.server")
            try:
                yield Serving(node, server, client)
            finally:
                await client.aclose()
                running.cancel()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
