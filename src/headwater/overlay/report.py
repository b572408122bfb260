"""An overlay as others may look at it: for the page, the log, the simulation. Pure."""

from dataclasses import dataclass

from headwater.overlay.common import Counters
from headwater.wire.ids import NodeId

__all__ = ["NeighbourReport", "Report", "StripeReport"]


@dataclass(frozen=True, slots=True)
class StripeReport:
    parent: NodeId | None
    children: tuple[NodeId, ...]
    ancestors: tuple[NodeId, ...]
    """The parent first, the source last."""
    is_flowing: bool


@dataclass(frozen=True, slots=True)
class NeighbourReport:
    node: NodeId
    rtt_s: float
    slots: int
    free: int
    edge: int
    lateness_s: tuple[float | None, ...]
    """Per stripe: how much later than here its parts are announced."""
    strikes: int
    is_avoided: bool


@dataclass(frozen=True, slots=True)
class Report:
    edge: int
    next: int
    """What the player waits for; -1 before it has started."""
    slots: int
    free: int
    viewers: int
    """Here and below, along stripe 0."""
    stripes: tuple[StripeReport, ...]
    neighbours: tuple[NeighbourReport, ...]
    counters: Counters
    """A copy."""
