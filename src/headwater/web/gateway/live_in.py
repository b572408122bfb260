"""`/live-in`: what a browser records (camera, screen, a file) goes on air as it comes."""

import contextlib
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from headwater.errors import NodeError
from headwater.web.asked import parse_id
from headwater.web.gateway.live_frames import text
from headwater.web.going_live import GoingLive
from headwater.wire.ids import LiveId

__all__ = ["router"]

router = APIRouter()


@router.websocket("/live-in")
async def live_in(socket: WebSocket, live: Annotated[str, Query(max_length=100)]) -> None:
    """One recording: its bytes in order, as binary messages. It may come back with another one."""
    going: GoingLive = socket.app.state.going_live
    await socket.accept()
    try:
        feed = going.feed(LiveId(parse_id(live, "live")))
        await feed.begin()
    except NodeError as error:
        await _refuse(socket, error)
        return
    try:
        while True:
            await feed.write(await socket.receive_bytes())
    except (WebSocketDisconnect, KeyError):
        pass  # gone, or it said something that is no recording
    except NodeError as error:
        await _refuse(socket, error)
    finally:
        await feed.end()


async def _refuse(socket: WebSocket, error: NodeError) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(text("failed", code=error.code, message=str(error)))
        await socket.close()
