"""A live as this node knows it: for the page, the command line, the metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headwater.overlay.report import Report
from headwater.wire.ids import NodeId
from headwater.wire.items import LiveEntry

__all__ = ["LiveReport", "LiveStatus"]


@dataclass(frozen=True, slots=True)
class LiveReport:
    """This node's place in the overlay, by stripe."""

    parents: Mapping[int, NodeId]
    children: Mapping[int, Sequence[NodeId]]
    ancestors: Mapping[int, Sequence[NodeId]]
    """Of this node: its parent first, the source last."""
    overlay: Report

    @classmethod
    def of(cls, report: Report) -> "LiveReport":
        stripes = list(enumerate(report.stripes))
        return cls(
            parents={n: stripe.parent for n, stripe in stripes if stripe.parent is not None},
            children={n: stripe.children for n, stripe in stripes if stripe.children},
            ancestors={n: stripe.ancestors for n, stripe in stripes if stripe.ancestors},
            overlay=report,
        )


@dataclass(frozen=True, slots=True)
class LiveStatus:
    entry: LiveEntry
    channel: NodeId
    state: Literal["on", "waiting", "ended"]
    uptime_s: float
    viewers: int
    delay_s: float | None
    """From being taken to being here; None where the two clocks cannot be compared."""
    is_mine: bool
    is_kept: bool
    message: str
    """Of this node's own live: what its ingest says; of any: why it is not recorded."""
    report: LiveReport | None
    """None while this node takes no part."""
