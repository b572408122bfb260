"""`/api/v1/lives`: what is on air, going on air, and the overlay that carries it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from headwater.web.api.live_models import Live, LiveList, Overlay
from headwater.web.api.live_view import live_view, overlay_view
from headwater.web.api.view import Mesh
from headwater.web.asked import IsOwnerDep, NodeDep, parse_id
from headwater.wire.ids import LiveId

__all__ = ["LiveDep", "router"]

router = APIRouter(prefix="/api/v1", tags=["live"])


async def _live(live: Annotated[str, Path(description="64 hex digits")]) -> LiveId:
    return LiveId(parse_id(live, "live"))


LiveDep = Annotated[LiveId, Depends(_live)]


@router.get("/lives")
async def lives(node: NodeDep, is_owner: IsOwnerDep) -> LiveList:
    """What is on air now, the newest first."""
    mesh = Mesh(node)
    return LiveList(lives=[live_view(mesh, one, is_owner=is_owner) for one in node.lives.list()])


@router.get("/lives/{live}")
async def live(live: LiveDep, node: NodeDep, is_owner: IsOwnerDep) -> Live:
    """One of them; also one that has just ended, with its recording."""
    return live_view(Mesh(node), node.lives.get(live), is_owner=is_owner)


@router.get("/lives/{live}/overlay")
async def overlay(live: LiveDep, node: NodeDep) -> Overlay:
    """Who feeds whom, as far as this node knows."""
    return overlay_view(Mesh(node), node.identity.node, node.lives.get(live))


@router.delete("/lives/{live}", status_code=204)
async def stop(live: LiveDep, node: NodeDep) -> None:
    """End a live of this node. Its recording becomes a video."""
    await node.lives.stop(live)


@router.post("/lives/{live}/keep", status_code=204)
async def keep(live: LiveDep, node: NodeDep) -> None:
    """Keep what is watched of it: when it ends, this node has a copy of the recording."""
    node.lives.keep(live, True)


@router.delete("/lives/{live}/keep", status_code=204)
async def unkeep(live: LiveDep, node: NodeDep) -> None:
    node.lives.keep(live, False)
