"""`/v/{id}/file`: a video's bytes, wherever in the mesh they lie."""

from fastapi import APIRouter, Request, Response

from headwater.web.asked import NodeDep, VideoDep
from headwater.web.gateway.answer import answer
from headwater.web.gateway.content import OCTETS, SAFE_HEADERS, disposition, etag_of, safe_type
from headwater.web.gateway.pacing import held, paced
from headwater.web.gateway.streaming import ReadResponse
from headwater.web.port import Node
from headwater.wire.ids import VideoId

__all__ = ["router"]

router = APIRouter(tags=["playback"])

MAX_SESSION = 100


@router.head("/v/{video}/file", include_in_schema=False)
@router.head("/v/{video}/file/{file_name}", include_in_schema=False)
@router.get("/v/{video}/file/{file_name}", include_in_schema=False)
@router.get("/v/{video}/file", response_class=Response)
async def file(
    request: Request, video: VideoDep, node: NodeDep, download: bool = False
) -> Response:
    """The bytes of a video, or the range of them that was asked for."""
    reader = node.transfers.reader(video)
    found = answer(request.method, request.headers, reader.size_bytes, etag_of(video))
    headers = found.headers | _labels(node, video, reader.media_type, download)
    if found.part is None:
        return Response(None, found.status, headers)
    start, end = found.part.start, found.part.end
    session = _session(request)
    if request.headers.get("sec-fetch-dest") in ("video", "audio"):
        # The browser's would be a second copy on that disk, and a range waits for one being stored.
        headers["Cache-Control"] = "no-store"
        chunks = held(lambda at: reader.read(at, end - at, session=session), start)
        if (bytes_per_s := _played_bytes_s(node, video)) > 0:
            chunks = paced(chunks, start=start, bytes_per_s=bytes_per_s)
    else:
        chunks = reader.read(start, end - start, session=session)
    counters = request.app.state.gateway_counters
    return ReadResponse(
        chunks, end - start, status=found.status, headers=headers, counters=counters
    )


def _labels(node: Node, video: VideoId, claimed_type: str, is_download: bool) -> dict[str, str]:
    found = node.catalogue.entry(video)
    name = found.entry.file_name if found is not None else f"{video.hex()[:10]}.bin"
    media_type = safe_type(claimed_type)
    is_attached = is_download or media_type == OCTETS
    place = disposition(name, is_download=is_attached)
    return {"Content-Type": media_type, "Content-Disposition": place, **SAFE_HEADERS}


def _played_bytes_s(node: Node, video: VideoId) -> float:
    """How fast it plays; 0 where that is not known."""
    found = node.catalogue.entry(video)
    if found is None:
        return 0.0
    entry = found.entry
    return entry.size_bytes * 1000 / entry.duration_ms if entry.duration_ms else 0.0


def _session(request: Request) -> str | None:
    """Who is playing: a newer range of one player ends its older one. None: nobody said."""
    asked = request.query_params.get("session") or request.headers.get("x-playback-session-id")
    if not asked:
        return None
    client = request.client.host if request.client else ""
    return f"{client} {asked[:MAX_SESSION]}"
