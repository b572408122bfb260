"""Recordings that the node hands to this process while they are made: from a browser."""

from collections.abc import Callable
from typing import TypeAlias

from headwater.media import live_pipe as pipe

__all__ = ["Inbox", "Recording"]

Frame: TypeAlias = "tuple[int, bytes]"


class Inbox:
    """`receive` gives the node's next frame, and waits for it."""

    def __init__(self, receive: Callable[[], Frame]) -> None:
        self._receive = receive
        self._is_closed = False

    def wait(self) -> "Recording | None":
        """Until the next recording begins; None when there will be no more."""
        while not self._is_closed:
            kind, body = self._receive()
            if kind == pipe.BYTES and body:
                return Recording(self, body)
            self._is_closed = kind == pipe.CLOSED
        return None

    def more(self) -> bytes:
        kind, body = self._receive()
        self._is_closed = kind == pipe.CLOSED
        return body if kind == pipe.BYTES else b""


class Recording:
    """One of them, as the file that FFmpeg reads."""

    def __init__(self, inbox: Inbox, head: bytes) -> None:
        self._inbox, self._held = inbox, head
        self._has_ended = False

    def peek(self, size: int) -> bytes:
        """Its first bytes: `size`, or fewer when it ends before."""
        while len(self._held) < size and self._more():
            pass
        return self._held[:size]

    def read(self, size: int) -> bytes:
        if not self._held:
            self._more()
        part, self._held = self._held[:size], self._held[size:]
        return part

    def skip(self) -> None:
        """To its end: it cannot be read."""
        self._held = b""
        while self._more():
            self._held = b""

    def _more(self) -> bool:
        if not self._has_ended:
            body = self._inbox.more()
            self._has_ended = not body
            self._held += body
        return not self._has_ended
