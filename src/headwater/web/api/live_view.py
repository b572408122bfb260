"""A live and its overlay, as the API shows them. Pure: no I/O beyond look-ups in memory."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from headwater.web.api.live_models import Live, Overlay, OverlayLink
from headwater.web.api.view import Mesh
from headwater.web.gateway.live_types import JPEG
from headwater.web.live_port import LiveStatus, Report
from headwater.wire.ids import NodeId

__all__ = ["live_view", "overlay_view"]


def live_view(mesh: Mesh, live: LiveStatus, *, is_owner: bool) -> Live:
    entry = live.entry
    base = f"/live/{entry.live.hex()}"
    return Live(
        id=entry.live.hex(),
        link=f"headwater://live/{entry.live.hex()}",
        title=entry.title,
        channel=mesh.name(live.channel),
        node=mesh.name(NodeId(entry.node)),
        state=live.state,
        media_type=entry.media_type,
        width=entry.width,
        height=entry.height,
        part_ms=entry.part_ms,
        stripes=entry.stripes,
        created=datetime.fromtimestamp(entry.created_ms / 1000, UTC),
        uptime_s=live.uptime_s,
        viewers=live.viewers,
        delay_s=live.delay_s,
        is_mine=live.is_mine,
        is_kept=live.is_kept,
        recording=entry.recording.hex(),
        message=live.message if is_owner else "",
        parts=f"{base}/parts",
        hls=f"{base}/index.m3u8",
        stream=f"{base}/{'stream.mjpeg' if entry.media_type == JPEG else 'stream.mp4'}",
        playlist=f"{base}/playlist.m3u",
    )


def overlay_view(mesh: Mesh, me: NodeId, live: LiveStatus) -> Overlay:
    source, report = NodeId(live.entry.node), live.report
    links = list(dict.fromkeys(_links(me, report))) if report is not None else []
    nodes = dict.fromkeys([source, me, *(end for a, b, _ in links for end in (a, b))])
    return Overlay(
        stripes=live.entry.stripes,
        me=me.hex(),
        source=source.hex(),
        nodes=[mesh.name(node) for node in nodes],
        links=[OverlayLink(from_=a.hex(), to=b.hex(), stripe=stripe) for a, b, stripe in links],
    )


def _links(me: NodeId, report: Report) -> Iterator[tuple[NodeId, NodeId, int]]:
    for stripe, ancestors in sorted(report.ancestors.items()):
        for child, parent in pairwise(_path(me, report.parents.get(stripe), ancestors)):
            yield parent, child, stripe
    for stripe, children in sorted(report.children.items()):
        yield from ((me, child, stripe) for child in children)


def _path(me: NodeId, parent: NodeId | None, ancestors: Sequence[NodeId]) -> list[NodeId]:
    """From this node up; empty where nobody feeds it."""
    if parent is None:
        return []
    above = ancestors[1:] if ancestors[:1] == (parent,) else ancestors
    return [me, parent, *above]
