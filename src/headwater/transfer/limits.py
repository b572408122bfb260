"""A rate limit that many streams and threads share: each is told how long to wait for its turn."""

import asyncio
import threading
from collections.abc import Callable

__all__ = ["QUANTUM_BYTES", "RateLimit"]

QUANTUM_BYTES = 64 * 1024
"""Senders take turns after this much, so that several askers get equal shares."""
_BURST_S = 0.05


class RateLimit:
    """A token bucket of `bytes_per_s` (0: no limit). Shape: reserve() and block() from any
    thread, the rest from the event loop's."""

    def __init__(self, bytes_per_s: int) -> None:
        self.bytes_per_s = bytes_per_s
        self._lock = threading.Condition()
        self._free_at = 0.0
        self._changed = asyncio.Event()
        self.on_change: Callable[[], None] = lambda: None
        """Called when there is another limit: of who books turns by reserve()."""

    def change(self, bytes_per_s: int) -> None:
        """Another limit from now on, for those as well who wait for their turn."""
        with self._lock:
            self.bytes_per_s, self._free_at = bytes_per_s, 0.0
            self._lock.notify_all()
        self._changed.set()
        self._changed = asyncio.Event()
        self.on_change()

    def reserve(self, size_bytes: int, now: float) -> float:
        """Book `size_bytes`; returns how many seconds to wait before sending them."""
        with self._lock:
            if not self.bytes_per_s:
                return 0.0
            start = max(self._free_at, now - _BURST_S)
            self._free_at = start + size_bytes / self.bytes_per_s
            return max(0.0, self._free_at - now)

    async def turn(self, size_bytes: int, clock: Callable[[], float]) -> None:
        """Until `size_bytes` may be sent."""
        while wait_s := self.reserve(size_bytes, clock()):
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                return

    def block(self, size_bytes: int, clock: Callable[[], float]) -> None:
        """The same for a thread of its own."""
        while wait_s := self.reserve(size_bytes, clock()):
            with self._lock:
                if not self._lock.wait(wait_s):
                    return
