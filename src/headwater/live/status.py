"""A live as this node knows it: for the page, the command line, the metrics."""

from dataclasses import dataclass
from typing import Literal

from headwater.overlay.report import Report
from headwater.wire.ids import NodeId
from headwater.wire.items import LiveEntry

__all__ = ["LiveStatus"]


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
    report: Report | None
    """None while this node takes no part."""
