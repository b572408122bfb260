"""`/live/{id}/index.m3u8` and what it names: LL-HLS for Safari, phones and TVs."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request, Response

from headwater.errors import MediaError
from headwater.web.asked import NodeDep, parse_id
from headwater.web.gateway.content import SAFE_HEADERS
from headwater.web.gateway.live_hls_feed import HlsFeed, HlsFeeds
from headwater.web.gateway.live_playlist import master_playlist
from headwater.web.gateway.live_types import JPEG, media_type_of
from headwater.web.gateway.presence import while_there
from headwater.wire.ids import LiveId

__all__ = ["router"]

router = APIRouter(prefix="/live/{live}", tags=["live"])

PLAYLIST = "application/vnd.apple.mpegurl"
KEEP = "private, max-age=3600"


async def _feed(request: Request, live: str, node: NodeDep) -> HlsFeed:
    identity = LiveId(parse_id(live, "live"))
    if node.lives.get(identity).entry.media_type == JPEG:
        raise MediaError("this live is made of pictures, which HLS does not know: see stream.mjpeg")
    feeds = cast(HlsFeeds, request.app.state.hls_feeds)
    return await feeds.feed(node.lives, identity)


FeedDep = Annotated[HlsFeed, Depends(_feed)]
MAX_SEQ = 2**40


@router.get("/index.m3u8", response_class=Response)
async def index(request: Request, feed: FeedDep) -> Response:
    """The one way in which this live is there."""
    init = await while_there(request, feed.newest_init())
    entry = feed.view.entry
    codecs = media_type_of(init, entry.media_type).partition('codecs="')[2].rstrip('"')
    bandwidth_bps = await feed.bandwidth_bps()
    return _playlist(master_playlist(bandwidth_bps, codecs, entry.width, entry.height))


@router.get("/media.m3u8", response_class=Response)
async def media(
    request: Request,
    feed: FeedDep,
    number: Annotated[int | None, Query(alias="_HLS_msn", ge=0, le=MAX_SEQ)] = None,
    part: Annotated[int | None, Query(alias="_HLS_part", ge=0, le=MAX_SEQ)] = None,
) -> Response:
    """The newest parts; waits for the one that a player asks for."""
    return _playlist(await while_there(request, feed.playlist(number, part)))


@router.get("/init/{seq}.mp4", response_class=Response)
async def init(request: Request, feed: FeedDep, seq: int) -> Response:
    return _media(await while_there(request, feed.init(seq)))


@router.get("/part/{seq}.m4s", response_class=Response)
async def part(request: Request, feed: FeedDep, seq: int) -> Response:
    """Waits for one that is about to come."""
    return _media(await while_there(request, feed.part(seq)))


@router.get("/segment/{seq}.m4s", response_class=Response)
async def segment(request: Request, feed: FeedDep, seq: int) -> Response:
    return _media(await while_there(request, feed.segment(seq)))


def _playlist(text: str) -> Response:
    headers = {**SAFE_HEADERS, "Cache-Control": "no-cache", "Content-Type": PLAYLIST}
    return Response(text, headers=headers)


def _media(content: bytes) -> Response:
    headers = {**SAFE_HEADERS, "Cache-Control": KEEP, "Content-Type": "video/mp4"}
    return Response(content, headers=headers)
