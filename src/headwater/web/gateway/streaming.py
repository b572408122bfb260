"""A response whose body is a verified read; it ends as soon as nobody listens."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headwater.errors import NodeError
from headwater.web.failures import failure
from headwater.web.gateway.counters import GatewayCounters
from headwater.web.gateway.presence import when_gone

__all__ = ["ReadResponse"]

log = logging.getLogger(__name__)


class ReadResponse(Response):
    """`chunks` as the body, `length` bytes in all.

    The headers wait for the first chunk, so that a failure to read it has a status of its own. A
    later one cuts the connection: the length was promised, and a player asks again from there.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        length: int,
        *,
        status: int,
        headers: Mapping[str, str],
        counters: GatewayCounters,
    ) -> None:
        self._chunks, self._length, self._counters = chunks, length, counters
        super().__init__(status_code=status, headers={**headers, "Content-Length": str(length)})

    def render(self, content: object) -> bytes:
        return b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._counters.reads += 1
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send(scope, receive, send), name="gateway.send")
            listening = group.create_task(when_gone(receive, sending.cancel), name="gateway.gone")
            sending.add_done_callback(lambda _done: listening.cancel())
        self._counters.reads_left += sending.cancelled()

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent, begun_s = 0, time.perf_counter()
        try:
            async for chunk in self._chunks:
                if not sent:
                    self._counters.first_bytes += 1
                    self._counters.first_byte_seconds += time.perf_counter() - begun_s
                    await send(self._head())
                sent += len(chunk)
                self._counters.read_bytes += len(chunk)
                is_last = sent == self._length
                await send({"type": "http.response.body", "body": chunk, "more_body": not is_last})
                await asyncio.sleep(
                    0
                )  # a read that never waits must not keep us from hearing of an end
        except NodeError as error:
            self._counters.reads_failed += 1
            log.info("gateway.read_failed", extra={"code": error.code, "reason": str(error)})
            if not sent:
                await failure(error)(scope, receive, send)
        finally:
            if (close := getattr(self._chunks, "aclose", None)) is not None:
                await close()
        # A read that ended early leaves the body short: the server then cuts the connection.

    def _head(self) -> dict[str, object]:
        return {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
