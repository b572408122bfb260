"""What one neighbour asks of us: one stream a question, so many at once, each within its time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from headwater.errors import RemoteProtocolError
from headwater.link.port import Link, LinkClosed, Stream
from headwater.node.neighbour_counters import NeighbourCounters
from headwater.wire.frames import HEADER_BYTES, decode, frame_length
from headwater.wire.ids import short_id
from headwater.wire.messages import Request, request_decoder

__all__ = ["MAX_REQUESTS_PER_NEIGHBOUR", "Requests"]

MAX_REQUESTS_PER_NEIGHBOUR = 64
MAX_REQUEST_BYTES = 4096
REQUEST_TIMEOUT_S = 5.0
"""For a request to arrive once its stream is open."""
ANSWER_TIMEOUT_S = 120.0
"""For its answer to be taken: who asks and does not read must not keep the bytes here for ever."""

log = logging.getLogger(__name__)


class Requests:
    """`answer` writes the reply and finishes the stream, as Handlers.request()."""

    def __init__(
        self,
        link: Link,
        answer: Callable[[Request, Stream], Awaitable[None]],
        counters: NeighbourCounters,
    ) -> None:
        self._link, self._answer, self._counters = link, answer, counters
        self._slots = asyncio.Semaphore(MAX_REQUESTS_PER_NEIGHBOUR)

    async def serve(self, group: asyncio.TaskGroup) -> NoReturn:
        """Until the link ends; the answers run in `group`. Raises: LinkClosed,
        RemoteProtocolError."""
        name = f"neighbour.answer.{short_id(self._link.peer)}"
        while True:
            # All slots taken: the rest waits inside the transport, which holds the asker back.
            await self._slots.acquire()
            stream = await self._link.accept_stream()
            group.create_task(self._serve_one(stream), name=name)

    async def _serve_one(self, stream: Stream) -> None:
        try:
            request = await _read(stream)
            if request is not None:
                self._counters.requests_served += 1
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await self._answer(request, stream)
        except (LinkClosed, TimeoutError):
            self._counters.requests_failed += 1
            stream.reset()
        except RemoteProtocolError:
            stream.reset()
            raise
        except Exception:  # a fault of ours in one answer costs that answer
            self._counters.requests_failed += 1
            stream.reset()
            log.exception("neighbour.request_failed", extra={"node": short_id(self._link.peer)})
        finally:
            self._slots.release()


async def _read(stream: Stream) -> Request | None:
    """What is asked; None when the asker thought better of it.

    Raises: RemoteProtocolError, LinkClosed, TimeoutError."""
    async with asyncio.timeout(REQUEST_TIMEOUT_S):
        header = await stream.read(HEADER_BYTES)
        if not header:
            stream.reset()
            return None
        header += await stream.read_exact(HEADER_BYTES - len(header))
        size = frame_length(header)
        if size > MAX_REQUEST_BYTES:
            raise RemoteProtocolError(
                f"a request of {size} bytes was announced, the limit is {MAX_REQUEST_BYTES}"
            )
        request: Request = decode(await stream.read_exact(size), request_decoder)
    return request
