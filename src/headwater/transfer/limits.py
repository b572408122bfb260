"""A rate limit that many streams and threads share: each is told how long to wait for its turn."""

import threading

__all__ = ["QUANTUM_BYTES", "RateLimit"]

QUANTUM_BYTES = 64 * 1024
"""Senders take turns after this much, so that several askers get equal shares."""
_BURST_S = 0.05


class RateLimit:
    """A token bucket of `bytes_per_s` (0: no limit). Shape: safe to use from any thread."""

    def __init__(self, bytes_per_s: int) -> None:
        self.bytes_per_s = bytes_per_s
        self._lock = threading.Lock()
        self._free_at = 0.0

    def reserve(self, size_bytes: int, now: float) -> float:
        """Book `size_bytes`; returns how many seconds to wait before sending them."""
        if not self.bytes_per_s:
            return 0.0
        with self._lock:
            start = max(self._free_at, now - _BURST_S)
            self._free_at = start + size_bytes / self.bytes_per_s
            return max(0.0, self._free_at - now)
