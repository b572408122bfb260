"""What lives have seen, for /metrics."""

from dataclasses import dataclass

__all__ = ["LiveCounters"]


@dataclass(slots=True)
class LiveCounters:
    """Over all lives of this node; each only ever grows."""

    parts_made: int = 0
    parts_unusable: int = 0
    """Made here, but nobody could have used them."""
    parts_received: int = 0
    """Checked and new."""
    parts_unwanted: int = 0
    """Duplicates, replays, too old or far ahead: not even checked."""
    parts_forged: int = 0
    """Dropped; whoever sent them was banned."""
    parts_flooded: int = 0
    """More a second than a live may have: not checked."""
    parts_delivered: int = 0
    """Handed on for players, once each."""
    parts_skipped: int = 0
    """Missed their deadline: players went on at a later keyframe."""
    pushes_begun: int = 0
    """Streams opened to children: one for each stripe, and again when it goes on by another."""
    parts_pushed: int = 0
    parts_left_out: int = 0
    """Not pushed to a child that had them already, or would have had them too late."""
    bytes_received: int = 0
    bytes_pushed: int = 0
    bytes_taken: int = 0
    """Of them, those that children said had come."""
    bytes_pulled: int = 0
    """Given to others who asked."""
    pulls: int = 0
    """Questions for parts asked."""
    pulls_failed: int = 0
    pulls_answered: int = 0
    pulls_curbed: int = 0
    """Questions answered with less than was here: because of the neighbour's budget, or of what our
    children need."""
    children_skipped: int = 0
    """Times that a slow child was skipped to a newer keyframe."""
    players_skipped: int = 0
    """Times that a slow player was."""
    nodes_dropped: int = 0
    """Links closed because the other side broke the rules of a live."""
