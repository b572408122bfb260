"""Control messages on their way to one neighbour, in order. Pure."""

from collections import deque

__all__ = ["MAX_QUEUED_BYTES", "MAX_QUEUED_FRAMES", "Outbox"]

MAX_QUEUED_FRAMES = 4096
MAX_QUEUED_BYTES = 32 * 1024 * 1024
_BATCH_BYTES = 64 * 1024


class Outbox:
    """Shape: at most MAX_QUEUED_FRAMES and MAX_QUEUED_BYTES; past either it is overflowing, and
    stays empty."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self.is_overflowing = False

    def __bool__(self) -> bool:
        return bool(self._frames)

    def put(self, frame: bytes) -> None:
        if self.is_overflowing:
            return
        self._frames.append(frame)
        self._bytes += len(frame)
        if len(self._frames) > MAX_QUEUED_FRAMES or self._bytes > MAX_QUEUED_BYTES:
            self.is_overflowing = True
            self._frames.clear()

    def batch(self) -> bytes:
        """The next frames, joined: each write into the transport costs more than its bytes."""
        taken = [self._frames.popleft()]
        size = len(taken[0])
        while self._frames and size < _BATCH_BYTES:
            taken.append(self._frames.popleft())
            size += len(taken[-1])
        self._bytes -= size
        return b"".join(taken)
