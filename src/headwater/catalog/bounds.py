"""How much a catalogue takes from others: every number has its reason and a test at the bound."""

from dataclasses import dataclass

__all__ = ["Bounds"]

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Bounds:
    items_per_author: int = 50_000
    """More than the files of a large archive; a flood by one key ends here."""
    items: int = 500_000
    """In all: about 500 MB on disk, and a bucket's summary still fits one frame (2000 x 32
    bytes)."""
    nodes: int = 10_000
    """Node records in memory, about 10 MB."""
    addresses: int = 1_000
    """Nodes whose last addresses survive a restart: enough to find the mesh again."""
    ahead_ms: int = DAY_MS
    """How far an item's version may lie ahead of our clock: a wrong time zone passes, an item
    nobody could ever replace does not."""
    gone_ms: int = 30 * DAY_MS
    """A Holding that says `gone` is forgotten, and no longer taken from others, after this long."""
    node_expiry_s: float = 90.0
    """A node that has not renewed its record for this long is taken to be away."""
    lives: int = 1_000
    """On air at a time, in memory: about 1 MB."""
    lives_per_author: int = 16
    """More than a conference has rooms."""
    live_expiry_s: float = 45.0
    """A live whose entry was not renewed for this long has gone off the air without a word: its
    publisher renews it every 10 s."""
