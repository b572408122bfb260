"""`/live/{id}/parts`: the very parts of a live over a WebSocket, for MSE."""

import asyncio
import contextlib
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from headwater.errors import NodeError
from headwater.live.view import Ended, Gap, Start
from headwater.web.asked import NodeDep, parse_id
from headwater.web.gateway.live_frames import header, parse_start, parse_until, text
from headwater.web.gateway.live_types import media_type_of
from headwater.web.live_port import LivePart, LiveView
from headwater.web.port import Node
from headwater.wire.ids import LiveId

__all__ = ["router"]

router = APIRouter()

STATUS_S = 1.0
FIRST_CREDIT_US = 10_000_000
"""Of the past this much is sent unasked; the player asks for more as it plays."""


@router.websocket("/live/{live}/parts")
async def parts(
    socket: WebSocket,
    live: str,
    node: NodeDep,
    begin: Annotated[str, Query(alias="from", max_length=40)] = "edge",
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> None:
    """`from`: `edge`, -SECONDS, or a part's number with `after`: where the part before it began
    (`pts_us`), so that it goes on without a seam. The player may say how far it wants parts."""
    await socket.accept()
    try:
        identity = LiveId(parse_id(live, "live"))
        start = parse_start(begin)
        # what it is goes first: the player makes its buffer while the parts are being found
        await socket.send_text(_about(node, identity))
        view = await node.lives.watch(identity, start)
        if isinstance(start, int) and after:
            _resume(view, after)
    except WebSocketDisconnect:
        return
    except NodeError as error:
        await _fail(socket, error)
        return
    try:
        await _Pump(socket, node, identity, view, start).run()
    finally:
        await view.close()


class _Pump:
    """One player's stream of parts. The view skips to keyframes when the player is too slow."""

    def __init__(
        self, socket: WebSocket, node: Node, live: LiveId, view: LiveView, start: Start
    ) -> None:
        self._socket, self._node, self._live, self._view = socket, node, live, view
        self._init = -1
        self._first = start if isinstance(start, int) else -1
        self._until_us: int | None = None if start == "edge" else -1
        self._credit = asyncio.Event()
        self._begun = asyncio.Event()

    async def run(self) -> None:
        """Until the live or the player ends."""
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(), name="live.credit")
            telling = group.create_task(self._tell(), name="live.status")
            sending = group.create_task(self._send(), name="live.parts")
            listening.add_done_callback(lambda _done: sending.cancel())
            sending.add_done_callback(lambda _done: (listening.cancel(), telling.cancel()))

    async def _send(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            try:
                while not isinstance(found := await self._view.next(), Ended):
                    if isinstance(found, Gap):
                        await self._socket.send_text(text("gap", next=found.next_seq))
                    else:
                        await self._send_part(found)
                await self._socket.send_text(text("ended", recording=self._recording()))
                await self._socket.close()
            except NodeError as error:
                await _fail(self._socket, error)

    async def _send_part(self, part: LivePart) -> None:
        info = part.info
        if info.is_init:
            await self._send_init(part)
            return
        if info.seq < self._first:
            return  # the player has it: only its keyframe could be found
        if info.init != self._init and (init := self._view.init(info.init)) is not None:
            await self._send_init(init)
        await self._wait_for_credit(info.pts_us)
        await self._socket.send_bytes(header(info) + part.payload)
        self._begun.set()

    async def _send_init(self, part: LivePart) -> None:
        if part.info.seq == self._init:
            return
        self._init = part.info.seq
        kind = media_type_of(part.payload, self._view.entry.media_type)
        await self._socket.send_text(text("init", media_type=kind))
        await self._socket.send_bytes(header(part.info) + part.payload)

    async def _wait_for_credit(self, pts_us: int) -> None:
        if self._until_us == -1:
            self._until_us = pts_us + FIRST_CREDIT_US
        while self._until_us is not None and pts_us > self._until_us:
            self._credit.clear()
            await self._credit.wait()

    async def _listen(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, NodeError, KeyError):
            while True:
                self._until_us = parse_until(await self._socket.receive_text())
                self._credit.set()

    async def _tell(self) -> None:
        """How it stands, once a second."""
        with contextlib.suppress(WebSocketDisconnect, NodeError, RuntimeError):
            await self._begun.wait()
            while True:
                status = self._node.lives.get(self._live)
                await self._socket.send_text(
                    text(
                        "status",
                        window=self._view.window(),
                        state=status.state,
                        viewers=status.viewers,
                        delay_s=status.delay_s,
                    )
                )
                await asyncio.sleep(STATUS_S)

    def _recording(self) -> str:
        try:
            return self._node.lives.get(self._live).entry.recording.hex()
        except NodeError:
            return ""


def _resume(view: LiveView, after_us: int) -> None:
    """Begin at the keyframe of the part shown at `after_us`, where that is still here."""
    window = view.window()
    if window is not None and window[2] <= after_us <= window[3]:
        view.seek(-(window[3] - after_us) / 1e6)


def _about(node: Node, live: LiveId) -> str:
    entry = node.lives.get(live).entry
    return text(
        "start",
        media_type=entry.media_type,
        part_ms=entry.part_ms,
        width=entry.width,
        height=entry.height,
        state=entry.state,
    )


async def _fail(socket: WebSocket, error: NodeError) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(text("failed", code=error.code, message=str(error)))
        await socket.close()
