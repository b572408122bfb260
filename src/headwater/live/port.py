"""What lives need of the node around them; `node/neighbours.py` satisfies it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from headwater.link.port import Link, Stream
from headwater.wire.ids import NodeId
from headwater.wire.messages import Control, Reply, Request

__all__ = ["Neighbour", "Neighbours"]


class Neighbour(Protocol):
    """A node with which a link is up."""

    @property
    def node(self) -> NodeId: ...

    @property
    def rtt_s(self) -> float | None: ...

    @property
    def link(self) -> Link: ...

    def heard(self) -> None:
        """Something came from it on a stream: it lives."""

    def silent_for(self, now: float) -> float:
        """Seconds since anything came from it."""

    def send(self, message: Control) -> None:
        """Queue it on the control stream."""

    async def ask(
        self, request: Request, *, timeout_s: float, priority: int = 0
    ) -> tuple[Reply, Stream]:
        """The reply, and the stream with what follows it. Raises: Unavailable, LinkClosed."""


class Neighbours(Protocol):
    """All nodes with which a link is up."""

    def get(self, node: NodeId) -> Neighbour | None: ...

    def connected(self) -> Mapping[NodeId, Neighbour]: ...

    async def dial(self, node: NodeId, addresses: Sequence[str]) -> Neighbour:
        """A link to that node, made now if there is none. Raises: Unavailable."""

    def ban(self, node: NodeId, reason: str) -> None:
        """It lies or attacks: close the link and stay away for a while."""
