"""A response that goes on as long as a live does and somebody listens."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headwater.errors import NodeError
from headwater.web.gateway.content import SAFE_HEADERS
from headwater.web.gateway.presence import when_gone
from headwater.web.live_port import LiveView

__all__ = ["Emit", "LiveResponse"]

log = logging.getLogger(__name__)

Emit = Callable[[bytes], Awaitable[None]]
"""Sends bytes; waits while the player is behind."""


class LiveResponse(Response):
    """`make` reads the view and emits the body, until it returns; then the view is closed."""

    def __init__(
        self, view: LiveView, make: Callable[[LiveView, Emit], Awaitable[None]], media_type: str
    ) -> None:
        self._view, self._make = view, make
        headers = {**SAFE_HEADERS, "Cache-Control": "no-store", "Content-Type": media_type}
        super().__init__(status_code=200, headers=headers)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send(send), name="live.send")
                gone = group.create_task(when_gone(receive, sending.cancel), name="live.gone")
                sending.add_done_callback(lambda _done: gone.cancel())
        finally:
            await self._view.close()

    async def _send(self, send: Send) -> None:
        async def emit(chunk: bytes) -> None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

        # players that are told something at once know that it is worth waiting
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            await self._make(self._view, emit)
        except NodeError as error:
            log.info("gateway.live_ended", extra={"code": error.code, "reason": str(error)})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
