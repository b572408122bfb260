"""What a link is to the rest of the node: `iroh.py` and `memory.py` both satisfy it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from headwater.errors import Unavailable
from headwater.wire.ids import NodeId

__all__ = ["Endpoint", "LaneLost", "Link", "LinkClosed", "Stream"]


class LinkClosed(Unavailable):
    """The link or stream ended: the other side closed it, reset it, or went silent."""

    code = "link_closed"


class LaneLost(LinkClosed):
    """What carried the stream beside its link is gone; the link may live, or its other side died:
    the system ends a dead process's connections at once."""


class Stream(Protocol):
    """A bidirectional, ordered, flow-controlled byte stream."""

    async def write(self, payload: bytes) -> None:
        """Queue all of it; waits while the other side is slow. Raises: LinkClosed."""

    def write_at_once(self, payload: bytes) -> bool:
        """Queue all of it, if that takes no waiting; whether it did. Never raises."""

    async def finish(self) -> None:
        """No more will be written; reading goes on. Raises: LinkClosed."""

    async def read(self, limit: int) -> bytes:
        """Between 1 and `limit` bytes, or b"" after the other side's finish. Raises: LinkClosed."""

    async def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer where the stream ends; they stay. Raises: LinkClosed."""

    async def read_exact(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises: LinkClosed when fewer come."""

    async def hear(self, take: Callable[[bytes], None]) -> None:
        """Call `take`, which never raises, with all that comes, as it comes, until the other side's
        finish: where each message is a few bytes, that costs less than reading. Raises:
        LinkClosed."""

    def set_priority(self, priority: int) -> None:
        """From now on; the stream of greater priority is sent first. Never raises."""

    def reset(self) -> None:
        """Give up both directions at once; what is queued is dropped. Never raises."""


class Link(Protocol):
    """An authenticated, encrypted connection to one node."""

    @property
    def peer(self) -> NodeId: ...

    @property
    def is_dialler(self) -> bool:
        """Whether this side opened it."""

    def path(self) -> tuple[str, float | None]:
        """How it runs now (`direct 192.0.2.7:4711`, `relay`), its round-trip time in seconds."""

    @property
    def has_lane(self) -> bool:
        """Whether streams can take the lane beside the link, which costs less (link/lane.py)."""

    def want_lane(self) -> None:
        """Have one made beside this, where both sides can. Never raises."""

    async def open_stream(self, *, priority: int = 0, by_lane: bool = False) -> Stream:
        """A new stream; greater priority is sent first. The other side sees it with the first byte.

        `by_lane`: on the lane where there is one; else one is wanted for the next.
        Raises: LinkClosed."""

    async def accept_stream(self, *, by_lane: bool = False) -> Stream:
        """The next stream that the other side opened, on the link itself or on its lane. Raises:
        LinkClosed, RemoteProtocolError."""

    async def wait_closed(self) -> str:
        """Until it is closed by either side; the reason."""

    def close(self, reason: str) -> None:
        """At once, with everything on it. Never raises."""


class Endpoint(Protocol):
    """This node's side of all its links."""

    @property
    def node(self) -> NodeId: ...

    def addresses(self) -> tuple[str, ...]:
        """`ip:port` where it can be dialled."""

    async def connect(self, node: NodeId, addresses: Sequence[str]) -> Link:
        """A link to exactly that node. Raises: Unavailable when it does not answer."""

    async def accept(self) -> Link:
        """The next incoming link. Raises: LinkClosed when the endpoint was closed."""

    async def close(self) -> None: ...
