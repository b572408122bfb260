"""What is given to those who ask for parts: what children leave of the uplink. Pure."""

import math

__all__ = ["LEAST_BYTES_S", "SPARE_S", "Spare", "spare_bps"]

LEAST_BYTES_S = 16 * 1024
"""For those who ask, however much the children need: somebody may need it for a beginning."""
SPARE_S = 0.5
"""So much at once of what the children leave."""


def spare_bps(uplink_bps: float, used_bps: float, share: float) -> float:
    """What is left of an uplink beside what children are sent, who get `share` of it."""
    return max((1 - share) * uplink_bps, uplink_bps - used_bps)


class Spare:
    """A bucket that a single answer may leave in debt, so that every part gets through."""

    def __init__(self, now: float) -> None:
        self._bytes, self._at = 0.0, now

    def has_some(self, bytes_s: float, now: float) -> bool:
        """`bytes_s`: what the children leave; infinite where nobody knows."""
        bytes_s = max(LEAST_BYTES_S, bytes_s)
        passed_s, self._at = now - self._at, now
        if bytes_s == math.inf:
            self._bytes = 0.0
            return True
        self._bytes = min(SPARE_S * bytes_s, self._bytes + passed_s * bytes_s)
        return self._bytes > 0

    def take(self, size_bytes: int) -> None:
        """It was given."""
        self._bytes -= size_bytes
