"""`/live/{id}/stream.mp4`, `.ts`, `.mjpeg` and `playlist.m3u`: for mpv, VLC, ffplay and others."""

import asyncio

from fastapi import APIRouter, Request, Response

from headwater.errors import MediaError
from headwater.live.view import Ended, Gap
from headwater.media.ts_worker import TsWorker
from headwater.web.api.lives import LiveDep
from headwater.web.asked import NodeDep
from headwater.web.gateway.content import disposition
from headwater.web.gateway.live_response import Emit, LiveResponse
from headwater.web.gateway.live_types import JPEG
from headwater.web.live_port import LivePart, LiveView
from headwater.web.port import Node
from headwater.wire.ids import LiveId

__all__ = ["router"]

router = APIRouter(prefix="/live/{live}", tags=["live"])

BOUNDARY = "picture"


@router.get("/stream.mp4", response_class=Response)
async def mp4(live: LiveDep, node: NodeDep) -> Response:
    """The init and the very parts, from the newest keyframe on. A new encoder ends it: players
    open it again."""
    _check(node, live, is_jpeg=False)
    return LiveResponse(await node.lives.watch(live), _emit_mp4, "video/mp4")


@router.get("/stream.ts", response_class=Response)
async def ts(live: LiveDep, node: NodeDep) -> Response:
    """The same as MPEG-TS, which goes on over a new encoder."""
    _check(node, live, is_jpeg=False)
    return LiveResponse(await node.lives.watch(live), _emit_ts, "video/mp2t")


@router.get("/stream.mjpeg", response_class=Response)
async def mjpeg(live: LiveDep, node: NodeDep) -> Response:
    """A live of pictures, one after the other, as cameras have it."""
    _check(node, live, is_jpeg=True)
    kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    return LiveResponse(await node.lives.watch(live), _emit_jpegs, kind)


@router.get("/playlist.m3u", response_class=Response)
async def playlist(request: Request, live: LiveDep, node: NodeDep) -> Response:
    """A playlist of one. TS, because it goes on whatever the encoder does."""
    entry = node.lives.get(live).entry
    title = " ".join(entry.title.split())
    name = "stream.mjpeg" if entry.media_type == JPEG else "stream.ts"
    address = f"{request.url.scheme}://{request.url.netloc}/live/{live.hex()}/{name}"
    headers = {"Content-Disposition": disposition(f"{title}.m3u", is_download=False)}
    text = f"#EXTM3U\n#EXTINF:-1,{title}\n{address}\n"
    return Response(text, headers=headers, media_type="audio/x-mpegurl")


def _check(node: Node, live: LiveId, *, is_jpeg: bool) -> None:
    """Raises: NotFound, MediaError."""
    if (node.lives.get(live).entry.media_type == JPEG) != is_jpeg:
        told = "of pictures: see stream.mjpeg" if not is_jpeg else "no series of JPEG pictures"
        raise MediaError(f"this live is {told}")


async def _next_part(view: LiveView) -> LivePart | None:
    """None at the end."""
    while isinstance(found := await view.next(), Gap):
        pass  # it goes on at a keyframe
    return None if isinstance(found, Ended) else found


async def _emit_mp4(view: LiveView, emit: Emit) -> None:
    init = b""
    while (part := await _next_part(view)) is not None:
        if part.info.is_init:
            if init and part.payload != init:
                return
            if init:
                continue
            init = part.payload
        await emit(part.payload)


async def _emit_jpegs(view: LiveView, emit: Emit) -> None:
    while (part := await _next_part(view)) is not None:
        if not part.info.is_init:
            head = f"Content-Type: {JPEG}\r\nContent-Length: {len(part.payload)}\r\n\r\n"
            await emit(f"--{BOUNDARY}\r\n{head}".encode() + part.payload + b"\r\n")


async def _emit_ts(view: LiveView, emit: Emit) -> None:
    """One process an epoch: in its output the tracks cannot change."""
    init = await _next_part(view)
    while init is not None:
        worker = await TsWorker.start()
        try:
            async with asyncio.TaskGroup() as group:
                feeding = group.create_task(_feed(view, init, worker), name="live.ts")
                while chunk := await worker.read():
                    await emit(chunk)
                feeding.cancel()  # done already, unless what came broke the process
            init = None if feeding.cancelled() else feeding.result()
        finally:
            await worker.close()


async def _feed(view: LiveView, init: LivePart, worker: TsWorker) -> LivePart | None:
    """The init that the next process begins with; None at the end."""
    try:
        await worker.write(init.payload)
        while (part := await _next_part(view)) is not None:
            if not part.info.is_init:
                await worker.write(part.payload)
            elif part.payload != init.payload:
                return part
        return None
    finally:
        worker.finish()
