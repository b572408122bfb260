"""`/api/v1/shares`: files and folders of this machine that the mesh may play."""

from fastapi import APIRouter

from headwater.web.api.models import (
    JobList,
    Removed,
    Share,
    ShareList,
    ShareRequest,
    Unshare,
)
from headwater.web.api.paths import absolute
from headwater.web.api.view import job_view, removed
from headwater.web.asked import NodeDep

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["library"])


@router.get("/shares")
async def shares(node: NodeDep) -> ShareList:
    """Watched folders, and each shared file with what is wrong with it, if anything."""
    return ShareList(
        folders=[str(folder) for folder in node.shares.folders()],
        shares=[
            Share(path=str(s.path), video=s.video.hex() if s.video else "", problem=s.problem)
            for s in node.shares.shared()
        ],
    )


@router.post("/shares", status_code=202)
async def share(node: NodeDep, wanted: ShareRequest) -> JobList:
    """Share a file, or a folder with all that is in it now and later."""
    jobs = node.shares.share(absolute(wanted.path), prepare=wanted.prepare)
    return JobList(jobs=[job_view(job) for job in jobs])


@router.delete("/shares")
async def unshare(node: NodeDep, unwanted: Unshare) -> Removed:
    """Stop sharing it; the files stay where they are."""
    return removed(node.shares.unshare(path=absolute(unwanted.path)))
