"""What the gateway counts, for `/metrics`."""

from dataclasses import dataclass

__all__ = ["GatewayCounters"]


@dataclass(slots=True)
class GatewayCounters:
    """Reads of videos by players. Units: bytes, seconds."""

    reads: int = 0
    read_bytes: int = 0
    reads_failed: int = 0
    """The bytes could not be had, before or amid the answer."""
    reads_left: int = 0
    """The player hung up before the end: it sought elsewhere, or was closed."""
    first_byte_seconds: float = 0.0
    """From the request to its first byte, summed; divide by `first_bytes`."""
    first_bytes: int = 0
