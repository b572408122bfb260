"""What transfers need of the node around them; `node/neighbours.py` satisfies it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from headwater.link.port import Stream
from headwater.store.shape import VideoShape
from headwater.store.torrent import Torrent
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.items import NodeRecord
from headwater.wire.messages import Control, Reply, Request

__all__ = ["Blocks", "Neighbour", "Neighbours"]


class Neighbour(Protocol):
    """A node with which a link is up."""

    @property
    def node(self) -> NodeId: ...

    @property
    def record(self) -> NodeRecord: ...

    @property
    def rtt_s(self) -> float | None: ...

    def path(self) -> tuple[str, float | None]:
        """How the link runs, as Link.path()."""

    def send(self, message: Control) -> None:
        """Queue it on the control stream."""

    async def ask(
        self, request: Request, *, timeout_s: float, priority: int = 0, finishes: bool = True
    ) -> tuple[Reply, Stream]:
        """The reply, and the stream with what follows it. `finishes`: nothing more is said; else
        the caller finishes when it has read that. Raises: Unavailable, LinkClosed."""


class Neighbours(Protocol):
    """All nodes with which a link is up."""

    def get(self, node: NodeId) -> Neighbour | None: ...

    def connected(self) -> Mapping[NodeId, Neighbour]: ...

    async def dial(self, node: NodeId, addresses: Sequence[str]) -> Neighbour:
        """A link to that node, made now if there is none. Raises: Unavailable."""

    def ban(self, node: NodeId, reason: str) -> None:
        """It lies or attacks: close the link and stay away for a while."""


class Blocks(Protocol):
    """Where proven blocks of one video go and are read from: the store's, or a passing window."""

    @property
    def video(self) -> VideoId: ...

    @property
    def shape(self) -> VideoShape: ...

    @property
    def pieces_root(self) -> bytes: ...

    @property
    def torrent(self) -> Torrent | None: ...

    @property
    def is_whole(self) -> bool: ...

    @property
    def window_blocks(self) -> int | None:
        """How many it can hold at a time; None: all of them."""

    def has(self, first: int, count: int) -> bool: ...

    def missing(self, first: int, count: int) -> list[range]:
        """What of these blocks is not here, in order."""

    def verified_read(self, first: int, count: int) -> bytes:
        """Exactly these blocks. Raises: NotFound, ContentChanged."""

    def write(self, first: int, payload: bytes | memoryview, leaves: bytes) -> list[int]:
        """Take proven blocks. Raises: StorageFull."""
