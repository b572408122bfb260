"""`/v/{id}/recording.m3u8`: a recorded live, whose groups are found without reading the file."""

from fastapi import APIRouter, Response

from headwater.errors import MediaError, NotFound, RemoteProtocolError
from headwater.web.asked import NodeDep, VideoDep, known
from headwater.web.gateway.content import SAFE_HEADERS
from headwater.web.gateway.recording_playlist import recording_playlist
from headwater.wire.groups import parse_groups

__all__ = ["router"]

router = APIRouter(prefix="/v/{video}", tags=["playback"])


@router.get("/recording.m3u8", response_class=Response)
async def recording(video: VideoDep, node: NodeDep) -> Response:
    """Byte ranges into `/v/{id}/file`, for pages and players alike."""
    entry = known(node, video).entry
    if not entry.groups:
        raise NotFound(f"{entry.title} is not the recording of a live")
    blob = node.store.get_blob(entry.groups)
    if blob is None:
        blob = await node.transfers.blob(entry.groups, video)
    try:
        groups = parse_groups(blob, entry.size_bytes)
    except RemoteProtocolError as error:
        raise MediaError(str(error)) from error
    headers = {**SAFE_HEADERS, "Cache-Control": "private, max-age=3600"}
    # FFmpeg wants the ending to tell what it is
    text = recording_playlist(groups, "file/recording.mp4")
    return Response(text, headers=headers, media_type="application/vnd.apple.mpegurl")
