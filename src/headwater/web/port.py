"""What the HTTP side needs of the node: `node/node.py` satisfies it, and so does a test's fake."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from headwater.node.activity import Activity, Job
from headwater.node.config import Config
from headwater.node.events import Events
from headwater.node.settings import Changes
from headwater.store.shape import VideoShape
from headwater.web.live_port import Lives
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.items import Item, NodeRecord, Signed, VideoEntry

__all__ = [
    "Catalogue",
    "CataloguedVideo",
    "Found",
    "Holders",
    "Identity",
    "Neighbour",
    "Neighbours",
    "Node",
    "Origin",
    "Reader",
    "Shared",
    "Shares",
    "SourceView",
    "SourcesView",
    "Store",
    "StoredVideo",
    "TakenBack",
    "Traffic",
    "Transfers",
]


class CataloguedVideo(Protocol):
    @property
    def entry(self) -> VideoEntry: ...
    @property
    def channel(self) -> NodeId: ...
    @property
    def video(self) -> VideoId: ...


class Found(Protocol):
    @property
    def total(self) -> int: ...
    @property
    def videos(self) -> Sequence[CataloguedVideo]: ...


class Holders(Protocol):
    @property
    def whole(self) -> Sequence[NodeId]: ...
    @property
    def partial(self) -> Sequence[NodeId]: ...


class Catalogue(Protocol):
    def entry(self, video: VideoId) -> CataloguedVideo | None: ...
    def search(
        self,
        words: str,
        *,
        limit: int = 50,
        offset: int = 0,
        channel: NodeId | None = None,
        videos: Collection[VideoId] | None = None,
    ) -> Found: ...
    def resolve(self, text: str) -> Sequence[CataloguedVideo]: ...
    def holders(self, video: VideoId) -> Holders: ...
    def nodes(self) -> Sequence[Item]: ...
    def record(self, node: NodeId) -> NodeRecord | None: ...
    def last_name(self, node: NodeId) -> str: ...


class StoredVideo(Protocol):
    @property
    def shape(self) -> VideoShape: ...
    @property
    def owned(self) -> bool: ...
    @property
    def source(self) -> Path | None: ...
    @property
    def problem(self) -> str: ...
    @property
    def have_blocks(self) -> int: ...
    @property
    def is_whole(self) -> bool: ...


class Store(Protocol):
    def videos(self) -> Sequence[VideoId]: ...
    def get(self, video: VideoId) -> StoredVideo | None: ...
    def get_blob(self, sha256: bytes) -> bytes | None: ...


class Reader(Protocol):
    """A video's verified bytes, wherever they lie. aclose() of what `read` returns ends it."""

    @property
    def size_bytes(self) -> int: ...
    @property
    def media_type(self) -> str: ...
    def read(
        self, start: int, length: int, *, session: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """These bytes in order; waits for a holder. A newer read of one session ends the older."""


class SourceView(Protocol):
    """What one node did for a video that is being read."""

    @property
    def node(self) -> NodeId: ...
    @property
    def bytes(self) -> int: ...
    @property
    def rate_bytes_s(self) -> float: ...
    @property
    def rtt_ms(self) -> float | None: ...


class Origin(Protocol):
    """Bytes [start, end) came from `node`; None: they were here."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def node(self) -> NodeId | None: ...


class SourcesView(Protocol):
    @property
    def size_bytes(self) -> int: ...
    @property
    def nodes(self) -> Sequence[SourceView]: ...
    @property
    def ranges(self) -> Sequence[Origin]: ...
    @property
    def waiting_for(self) -> Sequence[NodeId]: ...
    @property
    def changed_on(self) -> Sequence[NodeId]: ...


class Transfers(Protocol):
    def reader(self, video: VideoId) -> Reader: ...
    async def blob(self, sha256: bytes, hint: VideoId | None) -> bytes: ...
    def sources(self, video: VideoId) -> SourcesView: ...


class Flow(Protocol):
    @property
    def total_bytes(self) -> int: ...


class Traffic(Protocol):
    @property
    def up(self) -> Flow: ...
    @property
    def down(self) -> Flow: ...
    def rates(self, node: NodeId, now: float) -> tuple[float, float]:
        """Bytes a second to and from that node, over the last seconds."""


class Identity(Protocol):
    @property
    def node(self) -> NodeId: ...


class Neighbour(Protocol):
    @property
    def node(self) -> NodeId: ...
    @property
    def record(self) -> NodeRecord: ...
    @property
    def since_s(self) -> float: ...
    @property
    def rtt_s(self) -> float | None: ...
    def path(self) -> tuple[str, float | None]: ...


class Neighbours(Protocol):
    def connected(self) -> Mapping[NodeId, Neighbour]: ...


class Shared(Protocol):
    @property
    def path(self) -> Path: ...
    @property
    def video(self) -> VideoId | None: ...
    @property
    def problem(self) -> str: ...


class TakenBack(Protocol):
    @property
    def videos(self) -> Sequence[VideoId]: ...
    @property
    def uploads(self) -> Sequence[Path]: ...


class Shares(Protocol):
    def share(
        self, path: Path, *, prepare: bool | None = None, title: str | None = None
    ) -> Sequence[Job]: ...
    def unshare(self, path: Path | None = None, video: VideoId | None = None) -> TakenBack: ...
    async def delete_upload(self, path: Path) -> None: ...
    async def receive_upload(
        self, name: str, chunks: AsyncIterator[bytes], total: int | None
    ) -> Job: ...
    def folders(self) -> Sequence[Path]: ...
    def shared(self) -> Sequence[Shared]: ...


class Node(Protocol):
    """The composed node. `started_s` and `Neighbour.since_s` are by `time.monotonic()`."""

    @property
    def config(self) -> Config: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def store(self) -> Store: ...
    @property
    def neighbours(self) -> Neighbours: ...
    @property
    def shares(self) -> Shares: ...
    @property
    def transfers(self) -> Transfers: ...
    @property
    def lives(self) -> Lives: ...
    @property
    def traffic(self) -> Traffic: ...
    @property
    def activity(self) -> Activity: ...
    @property
    def events(self) -> Events: ...
    @property
    def started_s(self) -> float: ...
    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def default_name(self) -> str:
        """What they call it when nobody named it: the machine's name."""

    @property
    def blocked(self) -> Mapping[NodeId, str]:
        """Whom the owner blocked, each with the name that it had."""

    @property
    def page(self) -> str:
        """`http://host:port` of this node's own page."""

    @property
    def token(self) -> str:
        """What proves the owner from another machine."""

    def hello(self) -> Signed:
        """This node's signed record, as `/.well-known/headwater` answers it."""

    def invitation(self) -> str:
        """`headwater://join/...` of this node."""

    async def join(self, address: str) -> NodeId:
        """Dial `host:port` or an invitation and keep the link. Raises: Unavailable."""

    def block(self, node: NodeId) -> None:
        """No link to it, either way, until unblock(). Raises: LocalUsageError, StorageFull."""

    def unblock(self, node: NodeId) -> None:
        """It may come back. Raises: StorageFull."""

    async def change(self, changes: Changes) -> None:
        """Take effect at once, and be kept. Raises: LocalUsageError, StorageFull."""

    def keep(self, video: VideoId) -> Job:
        """Fetch all of it into the store, in the background. Raises: NotFound."""

    def get(self, video: VideoId, directory: Path) -> Job:
        """Fetch all of it and write it to `directory`, in the background. Raises: NotFound."""

    def forget(self, video: VideoId) -> None:
        """Drop this node's copy of somebody else's video. Raises: NotFound."""
