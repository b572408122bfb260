"""`/api/v1/lives`: what is on air, going on air, and the overlay that carries it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from headwater.media.live_options import LiveOptions
from headwater.web.api.live_models import Live, LiveList, LiveRequest, Overlay
from headwater.web.api.live_view import Shown, overlay_view
from headwater.web.api.view import Mesh
from headwater.web.asked import IsOwnerDep, NodeDep, parse_id
from headwater.web.going_live import GoingLive
from headwater.wire.ids import LiveId

__all__ = ["LiveDep", "router"]

router = APIRouter(prefix="/api/v1", tags=["live"])


async def _live(live: Annotated[str, Path(description="64 hex digits")]) -> LiveId:
    return LiveId(parse_id(live, "live"))


LiveDep = Annotated[LiveId, Depends(_live)]


async def _shown(request: Request, node: NodeDep, is_owner: IsOwnerDep) -> Shown:
    return Shown(Mesh(node), request.app.state.going_live if is_owner else None, request.url)


ShownDep = Annotated[Shown, Depends(_shown)]


@router.get("/lives")
async def lives(node: NodeDep, shown: ShownDep) -> LiveList:
    """What is on air now, the newest first."""
    return LiveList(lives=[shown.live(one) for one in node.lives.list()])


@router.post("/lives", status_code=201)
async def start(request: Request, node: NodeDep, wanted: LiveRequest, shown: ShownDep) -> Live:
    """Go on air."""
    options = LiveOptions(
        wanted.source,
        loop=wanted.loop,
        codec=wanted.codec,
        bitrate_bps=wanted.bitrate_bps,
        height=wanted.height,
        fps=wanted.fps,
        gop_s=wanted.gop_s,
        part_ms=wanted.part_ms,
        rtmp_key=wanted.rtmp_key,
    )
    going: GoingLive = request.app.state.going_live
    live = await going.start(
        node.lives,
        options,
        wanted.title,
        dvr_s=wanted.dvr_s,
        stripes=wanted.stripes,
        keep_recording=wanted.keep_recording,
    )
    return shown.live(node.lives.get(live))


@router.get("/lives/{live}")
async def live(live: LiveDep, node: NodeDep, shown: ShownDep) -> Live:
    """One of them; also one that has just ended, with its recording."""
    return shown.live(node.lives.get(live))


@router.get("/lives/{live}/overlay")
async def overlay(live: LiveDep, node: NodeDep) -> Overlay:
    """Who feeds whom, as far as this node knows."""
    return overlay_view(Mesh(node), node.identity.node, node.lives.get(live))


@router.delete("/lives/{live}", status_code=204)
async def stop(request: Request, live: LiveDep, node: NodeDep) -> None:
    """End a live of this node. Its recording becomes a video."""
    going: GoingLive = request.app.state.going_live
    await going.stop(node.lives, live)


@router.post("/lives/{live}/keep", status_code=204)
async def keep(live: LiveDep, node: NodeDep) -> None:
    """Keep what is watched of it: when it ends, this node has a copy of the recording."""
    node.lives.keep(live, True)


@router.delete("/lives/{live}/keep", status_code=204)
async def unkeep(live: LiveDep, node: NodeDep) -> None:
    node.lives.keep(live, False)


@router.post("/lives/{live}/relay", status_code=204)
async def relay(live: LiveDep, node: NodeDep) -> None:
    """Carry it for others, though nobody watches it here."""
    node.lives.relay(live, True)


@router.delete("/lives/{live}/relay", status_code=204)
async def unrelay(live: LiveDep, node: NodeDep) -> None:
    node.lives.relay(live, False)
