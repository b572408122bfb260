"""`/v/{id}/hls/`: a video that browsers cannot take as it is, as HLS made on demand."""

from collections.abc import Awaitable
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response

from headwater.errors import NotFound
from headwater.media.stream import Streams
from headwater.media.stream_pipe import Opening
from headwater.web.asked import NodeDep, VideoDep, known
from headwater.web.gateway.content import SAFE_HEADERS
from headwater.web.gateway.presence import while_there
from headwater.web.port import Node, Reader
from headwater.wire.ids import VideoId

__all__ = ["router"]

router = APIRouter(prefix="/v/{video}/hls", tags=["playback"])

PLAYLIST = "application/vnd.apple.mpegurl"
KEEP = "private, max-age=3600"


async def _streams(request: Request) -> Streams:
    return cast(Streams, request.app.state.streams)


StreamsDep = Annotated[Streams, Depends(_streams)]


@router.get("/index.m3u8", response_class=Response)
async def index(request: Request, video: VideoDep, node: NodeDep, streams: StreamsDep) -> Response:
    """The playlist, with every segment of the whole video."""
    made = streams.playlist(video.hex(), *_source(node, video))
    text = await while_there(request, made)
    return Response(text, headers=_headers("no-cache", PLAYLIST))


@router.get("/init.mp4", response_class=Response)
async def init(request: Request, video: VideoDep, node: NodeDep, streams: StreamsDep) -> Response:
    """What goes before every segment."""
    return await _media(request, streams.init(video.hex(), *_source(node, video)))


@router.get("/{number}.m4s", response_class=Response)
async def segment(
    request: Request, video: VideoDep, number: int, node: NodeDep, streams: StreamsDep
) -> Response:
    """One segment, made now unless it was made before."""
    made = streams.segment(video.hex(), number, *_source(node, video))
    return await _media(request, made)


async def _media(request: Request, made: Awaitable[bytes]) -> Response:
    return Response(await while_there(request, made), headers=_headers(KEEP, "video/mp4"))


def _source(node: Node, video: VideoId) -> tuple[Reader, Opening]:
    """Raises: NotFound, also for what is no recording: there is no point in reading it."""
    entry = known(node, video).entry
    if entry.plays == "no":
        raise NotFound(f"{entry.title} is not a video that could be played")
    reader = node.transfers.reader(video)
    return reader, Opening(entry.file_name, reader.size_bytes, entry.duration_ms)


def _headers(cache: str, media_type: str) -> dict[str, str]:
    return {**SAFE_HEADERS, "Cache-Control": cache, "Content-Type": media_type}
