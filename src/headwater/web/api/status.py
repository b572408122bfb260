"""`/api/v1/status`: who this node is and how it does."""

import time

from fastapi import APIRouter

from headwater import __version__
from headwater.web.api.models import Limits, Status
from headwater.web.asked import IsOwnerDep, NodeDep

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["node"])


@router.get("/status")
async def status(node: NodeDep, is_owner: IsOwnerDep) -> Status:
    """Who this node is; a guest is not told where its files lie."""
    limits = node.config.limits
    return Status(
        id=node.identity.node.hex(),
        name=node.name,
        version=__version__,
        uptime_s=time.monotonic() - node.started_s,
        page=node.page,
        state_dir=str(node.config.state) if is_owner else "",
        folders=[str(folder) for folder in node.shares.folders()] if is_owner else [],
        peers=len(node.neighbours.connected()),
        videos=node.catalogue.search("", limit=0).total,
        limits=Limits(up_bytes_s=limits.up_bytes_per_s, down_bytes_s=limits.down_bytes_per_s),
        token_needed=not is_owner,
        is_owner=is_owner,
    )
