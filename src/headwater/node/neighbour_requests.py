"""What one neighbour asks of us: one stream a question, so many at once, each within its time; and
the streams on which it pushes a live, which last."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from headwater.errors import RemoteProtocolError
from headwater.link.port import Link, LinkClosed, Stream
from headwater.node.neighbour_counters import NeighbourCounters
from headwater.wire.frames import HEADER_BYTES, decode, frame_length
from headwater.wire.ids import short_id
from headwater.wire.live import MAX_STRIPES, Push
from headwater.wire.messages import Request, request_decoder

__all__ = ["MAX_PUSHES_PER_NEIGHBOUR", "MAX_REQUESTS_PER_NEIGHBOUR", "Requests"]

MAX_REQUESTS_PER_NEIGHBOUR = 64
MAX_PUSHES_PER_NEIGHBOUR = 3 * MAX_STRIPES
"""Three lives in as many stripes as there can be; and no more than half of the streams that a link
lets the other side have open."""
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
        self._pushes = 0

    async def serve(self, group: asyncio.TaskGroup, *, by_lane: bool) -> NoReturn:
        """Until the link ends; the answers run in `group`. Raises: LinkClosed,
        RemoteProtocolError."""
        name = f"neighbour.answer.{short_id(self._link.peer)}"
        while True:
            stream = await self._link.accept_stream(by_lane=by_lane)
            # All slots taken: the rest waits inside the transport, which holds the asker back.
            await self._slots.acquire()
            group.create_task(self._serve_one(stream), name=name)

    async def _serve_one(self, stream: Stream) -> None:
        has_slot = True
        try:
            request = await _read(stream)
            if isinstance(request, Push):
                self._slots.release()  # it lasts as long as the live
                has_slot = False
                await self._take_push(request, stream)
            elif request is not None:
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
            if has_slot:
                self._slots.release()

    async def _take_push(self, request: Push, stream: Stream) -> None:
        if self._pushes >= MAX_PUSHES_PER_NEIGHBOUR:
            self._counters.pushes_refused += 1
            stream.reset()
            return
        self._counters.pushes_taken += 1
        self._pushes += 1
        try:
            await self._answer(request, stream)
        except LinkClosed:
            stream.reset()  # its ordinary end
        finally:
            self._pushes -= 1


async def _read(stream: Stream) -> Request | None:
    """What is asked; None when the asker thought better of it. Raises: RemoteProtocolError,
    LinkClosed, TimeoutError."""
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
