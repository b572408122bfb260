"""How much lives may take of this node: every number has its reason and a test at the bound."""

from dataclasses import dataclass

__all__ = [
    "BURST_PRIORITY",
    "PULL_PRIORITY",
    "PUSH_PRIORITY",
    "REPAIR_PARTS",
    "LiveLimits",
]

PUSH_PRIORITY, PULL_PRIORITY, BURST_PRIORITY = 80, 60, 40
"""Of streams; control goes before them, stored videos after."""
REPAIR_PARTS = 4
"""A request for no more than that is a repair and goes before bursts."""


@dataclass(frozen=True, slots=True)
class LiveLimits:
    watched: int = 16
    """Lives of others that this node takes part in at a time."""
    made: int = 8
    """Lives of its own at a time: an encoder each."""
    ring_bytes: int = 64 * 1024 * 1024
    """Of parts in memory for each live, and..."""
    ring_s: float = 30.0
    """...as much time."""
    parts_per_s: float = 200.0
    """Checked for each live in the long run: frames of 60 a second three times over..."""
    parts_burst: float = 4096.0
    """...and at once: time shift and bursts come as fast as the link."""
    receiving_bytes: int = 32 * 1024 * 1024
    """Payloads of a live that are being read off links at once: eight of the largest."""
    push_delay_s: float = 1.5
    """How old the oldest part on its way to a child may be, about a group; then the child is
    skipped to the newest keyframe."""
    push_bytes: int = 16 * 1024 * 1024
    """Queued for one child and stripe, whatever the delay."""
    answer_bytes: int = 4 * 1024 * 1024
    """In one answer to GetParts, but always the first part."""
    answers: int = 4
    """To GetParts, under way for one neighbour and live."""
    answer_ratio: float = 4.0
    """A neighbour may pull so many times the rate of the stream in the long run..."""
    answer_burst_s: float = 30.0
    """...and so much of the stream at once."""
    grace_s: float = 10.0
    """A live that nobody here watches any more is left after this long."""
    views: int = 256
    """Players of one live on this node."""
    lag_s: float = 2.0
    """A player that is further behind what could be shown is skipped to the newest keyframe."""
