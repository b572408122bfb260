"""What happened in the node, told to whoever listens (the page's WebSocket, `headwater up`)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

__all__ = ["Event", "Events"]

MAX_QUEUED = 256

Topic = Literal[
    "videos", "video", "lives", "peers", "jobs", "job", "sources", "settings", "problem", "resync"
]


@dataclass(frozen=True, slots=True)
class Event:
    """`topic` says what changed, `subject` which one (hex id, job id), `text` what to tell people.

    `resync` means that events were lost because the listener was slow: it reads everything anew."""

    topic: Topic
    subject: str = ""
    text: str = ""


class Events:
    """Fan-out of events. Shape: a listener holds at most MAX_QUEUED; then one `resync` instead."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Event]] = set()

    def publish(self, event: Event) -> None:
        for queue in self._listeners:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(Event("resync"))
            else:
                queue.put_nowait(event)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator["asyncio.Queue[Event]"]:
        queue: asyncio.Queue[Event] = asyncio.Queue(MAX_QUEUED)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
