"""What people are told of a transfer: who sent how much, and what lies here from whom."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headwater.transfer.swarm import Origin, Swarm
from headwater.wire.ids import NodeId

__all__ = ["SourceView", "SourcesView", "view_of"]


@dataclass(frozen=True, slots=True)
class SourceView:
    """One node as a source. Units: bytes, bytes a second, milliseconds."""

    node: NodeId
    bytes: int
    rate_bytes_s: float
    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class SourcesView:
    """Where a video's bytes came and come from."""

    nodes: tuple[SourceView, ...]
    ranges: tuple[Origin, ...]
    size_bytes: int
    waiting_for: tuple[NodeId, ...]
    """Who has what is wanted but cannot be reached; empty while it is coming."""


def view_of(
    swarm: Swarm,
    rtt_ms: Callable[[NodeId], float | None],
    waiting_for: Sequence[NodeId],
    now: float,
) -> SourcesView:
    """The swarm as it is now."""
    nodes = tuple(
        SourceView(
            source.node,
            source.flow.total_bytes,
            source.flow.rate_bytes_s(now),
            rtt_ms(source.node),
        )
        for source in swarm.schedule.sources()
    )
    size_bytes = swarm.stored.shape.size_bytes
    return SourcesView(nodes, tuple(swarm.origins()), size_bytes, tuple(waiting_for))
