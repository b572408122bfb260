"""`/api/v1/events`: what changes, as it changes, over one WebSocket a page."""

import asyncio
from dataclasses import asdict

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from headwater.node.events import Event
from headwater.web.asked import IsOwnerDep, NodeDep

__all__ = ["router"]

router = APIRouter(prefix="/api/v1")

GUEST_TOPICS = frozenset({"videos", "video", "peers", "sources", "settings", "lives", "resync"})


@router.websocket("/events")
async def events(socket: WebSocket, node: NodeDep, is_owner: IsOwnerDep) -> None:
    """`{"topic", "subject", "text"}` each; nothing is expected from the page."""
    async with node.events.listen() as queue, asyncio.TaskGroup() as group:
        await socket.accept()  # only now: what happens from here on is not missed
        sending = group.create_task(_send(socket, queue, is_owner), name="web.events")
        await _closed(socket)
        sending.cancel()


async def _send(socket: WebSocket, queue: asyncio.Queue[Event], is_owner: bool) -> None:
    try:
        while True:
            event = await queue.get()
            if is_owner or event.topic in GUEST_TOPICS:
                await socket.send_json(asdict(event))
    except WebSocketDisconnect:
        return


async def _closed(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
