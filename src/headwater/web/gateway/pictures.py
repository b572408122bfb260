"""`/v/{id}/poster`, `storyboard`, `storyboard.vtt`, `subtitles/{n}.vtt`: what goes with a video."""

from fastapi import APIRouter, Request, Response

from headwater.errors import NotFound
from headwater.web.asked import NodeDep, VideoDep, known
from headwater.web.gateway.answer import IMMUTABLE
from headwater.web.gateway.content import SAFE_HEADERS, etag_of, is_listed
from headwater.web.gateway.storyboard import storyboard_vtt
from headwater.web.port import Node
from headwater.wire.ids import VideoId

__all__ = ["router"]

router = APIRouter(prefix="/v/{video}", tags=["playback"])

_MAGIC = ((b"\xff\xd8\xff", "image/jpeg"), (b"RIFF", "image/webp"), (b"\x89PNG", "image/png"))


@router.get("/poster", response_class=Response)
async def poster(request: Request, video: VideoDep, node: NodeDep) -> Response:
    return await _blob(request, node, video, known(node, video).entry.poster, "poster")


@router.get("/storyboard", response_class=Response)
async def storyboard(request: Request, video: VideoDep, node: NodeDep) -> Response:
    """One picture of all the thumbnails."""
    return await _blob(request, node, video, known(node, video).entry.storyboard, "storyboard")


@router.get("/storyboard.vtt", response_class=Response)
async def storyboard_track(video: VideoDep, node: NodeDep) -> Response:
    """Which tile of the storyboard shows which seconds."""
    entry = known(node, video).entry
    if not entry.storyboard:
        raise NotFound(f"{entry.title} has no storyboard")
    return _vtt(storyboard_vtt(entry).encode())


@router.get("/subtitles/{number}.vtt", response_class=Response)
async def subtitles(video: VideoDep, number: int, node: NodeDep) -> Response:
    entry = known(node, video).entry
    if not 0 <= number < len(entry.subtitles):
        raise NotFound(f"{entry.title} has no subtitle track {number}")
    return _vtt(await _fetch(node, video, entry.subtitles[number].blob))


async def _fetch(node: Node, video: VideoId, sha256: bytes) -> bytes:
    stored = node.store.get_blob(sha256)
    return stored if stored is not None else await node.transfers.blob(sha256, video)


async def _blob(request: Request, node: Node, video: VideoId, sha256: bytes, what: str) -> Response:
    if not sha256:
        raise NotFound(f"this video has no {what}")
    headers = {"ETag": etag_of(sha256), "Cache-Control": IMMUTABLE, **SAFE_HEADERS}
    if is_listed(request.headers.get("if-none-match"), headers["ETag"], weak=True):
        return Response(status_code=304, headers=headers)
    payload = await _fetch(node, video, sha256)
    kind = next((t for magic, t in _MAGIC if payload.startswith(magic)), "application/octet-stream")
    return Response(payload, headers={**headers, "Content-Type": kind})


def _vtt(text: bytes) -> Response:
    headers = {"Content-Type": "text/vtt; charset=utf-8", "Cache-Control": "no-cache"}
    return Response(text, headers={**SAFE_HEADERS, **headers})
