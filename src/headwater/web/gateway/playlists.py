"""`/v/{id}/playlist.m3u`: what a desktop player opens."""

import secrets

from fastapi import APIRouter, Request, Response

from headwater.web.asked import NodeDep, VideoDep, known
from headwater.web.gateway.content import disposition

__all__ = ["router"]

router = APIRouter(prefix="/v/{video}", tags=["playback"])


@router.get("/playlist.m3u", response_class=Response)
async def playlist(request: Request, video: VideoDep, node: NodeDep) -> Response:
    """A playlist of one: players take any codec, so they get the file itself; but for a recorded
    live, which has no index, the list of its stretches."""
    entry = known(node, video).entry
    title = " ".join(entry.title.split())
    # Desktop players keep the connections of ranges that they left: a session ends those.
    session = secrets.token_hex(8)
    host = f"{request.url.scheme}://{request.url.netloc}"
    address = f"{host}/v/{video.hex()}/file?session={session}"
    if entry.groups:
        address = f"{host}/v/{video.hex()}/recording.m3u8"
    text = f"#EXTM3U\n#EXTINF:{entry.duration_ms // 1000 or -1},{title}\n{address}\n"
    name = f"{entry.file_name.rpartition('.')[0] or entry.file_name}.m3u"
    headers = {"Content-Disposition": disposition(name, is_download=False)}
    return Response(text, headers=headers, media_type="audio/x-mpegurl")
