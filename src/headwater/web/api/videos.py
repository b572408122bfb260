"""`/api/v1/videos`: the library, one video, where its bytes come from, keeping and removing it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from headwater.errors import NotFound
from headwater.web.api.models import (
    Destination,
    JobView,
    Removed,
    Source,
    Sources,
    Video,
    VideoList,
    VideoPage,
)
from headwater.web.api.paths import absolute
from headwater.web.api.view import Mesh, job_view, removed
from headwater.web.asked import NodeDep, VideoDep, known, parse_id
from headwater.wire.ids import NodeId

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["library"])

MAX_LIMIT = 500
MAX_QUERY = 1000


@router.get("/videos")
async def videos(
    node: NodeDep,
    q: Annotated[str, Query(max_length=MAX_QUERY)] = "",
    scope: Literal["all", "here"] = "all",
    channel: str = "",
    limit: Annotated[int, Query(ge=0, le=MAX_LIMIT)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> VideoPage:
    """What matches the words; without any, the newest first."""
    here = node.store.videos() if scope == "here" else None
    author = NodeId(parse_id(channel, "channel")) if channel else None
    found = node.catalogue.search(q, limit=limit, offset=offset, channel=author, videos=here)
    return VideoPage(total=found.total, videos=Mesh(node).videos(found.videos))


@router.get("/resolve")
async def resolve(node: NodeDep, text: Annotated[str, Query(max_length=MAX_QUERY)]) -> VideoList:
    """The videos that a person may mean by a name, an id or a link: one, several or none."""
    return VideoList(videos=Mesh(node).videos(node.catalogue.resolve(text)))


@router.get("/videos/{video}")
async def video(node: NodeDep, video: VideoDep) -> Video:
    return Mesh(node).video(known(node, video))


@router.delete("/videos/{video}")
async def remove(node: NodeDep, video: VideoDep) -> Removed:
    """Take back what this node published, or drop its copy of another's; files stay."""
    try:
        return removed(node.shares.unshare(video=video))
    except NotFound:
        node.forget(video)
        return Removed(videos=[video.hex()], uploads=[])


@router.get("/videos/{video}/sources")
async def sources(node: NodeDep, video: VideoDep) -> Sources:
    """Who sent which part of it, while it plays or is fetched."""
    view, mesh = node.transfers.sources(video), Mesh(node)
    nodes = [
        Source(
            **mesh.name(one.node).model_dump(),
            bytes=one.bytes,
            rate_bytes_s=one.rate_bytes_s,
            rtt_ms=one.rtt_ms,
        )
        for one in view.nodes
    ]
    ranges = [(r.start, r.end, r.node.hex() if r.node else "here") for r in view.ranges]
    return Sources(
        nodes=nodes,
        ranges=ranges,
        size_bytes=view.size_bytes,
        waiting_for=", ".join(mesh.name(one).name for one in view.waiting_for),
        changed_on=", ".join(mesh.name(one).name for one in view.changed_on),
    )


@router.post("/videos/{video}/keep", status_code=202)
async def keep(node: NodeDep, video: VideoDep) -> JobView:
    """Fetch all of it, so that it plays here without the others."""
    return job_view(node.keep(video))


@router.delete("/videos/{video}/keep", status_code=204)
async def unkeep(node: NodeDep, video: VideoDep) -> None:
    node.forget(video)


@router.post("/videos/{video}/get", status_code=202)
async def get(node: NodeDep, video: VideoDep, wanted: Destination) -> JobView:
    """Fetch all of it into a folder of this machine."""
    return job_view(node.get(video, absolute(wanted.directory)))
