"""`/api/v1/uploads`: a file that a page hands over, streamed to disk as it comes."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect

from headwater.errors import LocalUsageError, Unavailable
from headwater.web.api.models import JobView, Unshare
from headwater.web.api.paths import absolute
from headwater.web.api.view import job_view
from headwater.web.asked import NodeDep

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["library"])

MAX_NAME_BYTES = 255


@router.put("/uploads/{file_name}", status_code=202)
async def upload(request: Request, file_name: str, node: NodeDep) -> JobView:
    """The raw body becomes a file of this node and is shared."""
    declared = request.headers.get("content-length")
    total = int(declared) if declared is not None else None
    job = await node.shares.receive_upload(_plain(file_name), _body(request), total)
    return job_view(job)


@router.delete("/uploads", status_code=204)
async def delete(node: NodeDep, unwanted: Unshare) -> None:
    """Delete an uploaded file that is shared no more: it may be the only copy."""
    await node.shares.delete_upload(absolute(unwanted.path))


async def _body(request: Request) -> AsyncIterator[bytes]:
    """As it comes. Raises: Unavailable when the sender goes away."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise Unavailable("the sender went away before all of it was here") from error


def _plain(file_name: str) -> str:
    """The name. Raises: LocalUsageError when it is none that a file could have everywhere."""
    is_odd = file_name.strip(". ") == "" or any(c in "/\\\0" or ord(c) < 32 for c in file_name)
    if is_odd or len(file_name.encode()) > MAX_NAME_BYTES:
        raise LocalUsageError(
            f"{file_name[:80]!r} cannot be a file's name: rename it, then try again"
        )
    return file_name
