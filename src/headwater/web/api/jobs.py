"""`/api/v1/jobs`: what the node is busy with."""

from fastapi import APIRouter

from headwater.web.api.models import JobList
from headwater.web.api.view import job_view
from headwater.web.asked import NodeDep

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["activity"])


@router.get("/jobs")
async def jobs(node: NodeDep) -> JobList:
    """All running ones and the last ended ones, oldest first."""
    return JobList(jobs=[job_view(job) for job in node.activity.jobs()])


@router.delete("/jobs/{job}", status_code=202)
async def cancel(node: NodeDep, job: str) -> None:
    """Ask a job to stop."""
    node.activity.cancel(job)


@router.put("/jobs/{job}/pause", status_code=204)
async def pause(node: NodeDep, job: str) -> None:
    """Let a copy rest, over restarts as well, until it is resumed."""
    node.activity.pause(job)


@router.delete("/jobs/{job}/pause", status_code=204)
async def resume(node: NodeDep, job: str) -> None:
    """Let it go on from where it was."""
    node.activity.resume(job)
