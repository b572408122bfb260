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
    waiting_for: tuple[NodeId, ...] = ()
    """Who has what is wanted but cannot be reached; empty while it is coming."""
    changed_on: tuple[NodeId, ...] = ()
    """Whose file is no longer the video, where nobody else has it."""


def view_of(
    swarm: Swarm,
    rtt_ms: Callable[[NodeId], float | None],
    away: Sequence[NodeId],
    changed_here: Sequence[NodeId],
    now: float,
) -> SourcesView:
    """The swarm as it is now. `away`: holders that cannot be reached."""
    schedule = swarm.schedule
    hoped_for = tuple(node for node in away if node not in swarm.changed)
    is_hopeless = not hoped_for and not schedule.sources()
    nodes = tuple(
        SourceView(
            source.node,
            source.flow.total_bytes,
            source.flow.rate_bytes_s(now),
            rtt_ms(source.node),
        )
        for source in schedule.sources()
    )
    return SourcesView(
        nodes,
        tuple(swarm.origins()),
        swarm.stored.shape.size_bytes,
        waiting_for=hoped_for if schedule.is_starving(now) else (),
        changed_on=(*changed_here, *sorted(swarm.changed)) if is_hopeless else (),
    )
