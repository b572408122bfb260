"""What the links of a node have seen, for /metrics."""

from dataclasses import dataclass

__all__ = ["NeighbourCounters"]


@dataclass(slots=True)
class NeighbourCounters:
    """Each only ever grows."""

    dials: int = 0
    dials_failed: int = 0
    accepted: int = 0
    """Incoming links that said a proper hello."""
    refused_full: int = 0
    refused_banned: int = 0
    refused_mesh: int = 0
    """Links whose other side did not prove the mesh secret."""
    handshakes_failed: int = 0
    """Incoming links that never said a proper hello."""
    duplicates: int = 0
    """Second links between the same two nodes, closed."""
    hostile: int = 0
    """Links closed because the other side broke the protocol."""
    bans: int = 0
    silent: int = 0
    """Neighbours found dead."""
    slow: int = 0
    """Links closed because the other side did not read its control stream."""
    control_received: int = 0
    control_sent: int = 0
    requests_served: int = 0
    requests_failed: int = 0
    requests_asked: int = 0
    pushes_taken: int = 0
    """Streams on which a neighbour feeds us a live."""
    pushes_refused: int = 0
    """More of them at once than a neighbour may open."""
