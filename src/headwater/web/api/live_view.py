"""A live and its overlay, as the API shows them. Pure: no I/O beyond look-ups in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from starlette.datastructures import URL

from headwater.web.api.live_models import Encoder, Live, Overlay, OverlayLink
from headwater.web.api.view import Mesh
from headwater.web.gateway.live_types import JPEG
from headwater.web.going_live import GoingLive
from headwater.web.live_port import LiveStatus, Report
from headwater.wire.ids import LiveId, NodeId

__all__ = ["Shown", "overlay_view"]


@dataclass(frozen=True, slots=True)
class Shown:
    """How one request sees lives. `going`: None for guests; `url`: as the page reaches us."""

    mesh: Mesh
    going: GoingLive | None
    url: URL

    def live(self, live: LiveStatus) -> Live:
        identity = LiveId(live.entry.live)
        encoder = self.going.encoder(identity) if self.going is not None else None
        told = None
        if encoder is not None:
            told = Encoder(server=encoder.server(self.url.hostname or ""), key=encoder.key)
        is_pushed = self.going is not None and self.going.is_pushed(identity)
        return _live(self.mesh, live, told, is_owner=self.going is not None, is_pushed=is_pushed)


def _live(
    mesh: Mesh, live: LiveStatus, encoder: Encoder | None, *, is_owner: bool, is_pushed: bool
) -> Live:
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
        encoder=encoder,
        is_from_browser=is_pushed,
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
    for number, stripe in enumerate(report.stripes):
        if stripe.parent is not None:
            for child, parent in pairwise((me, *stripe.ancestors)):
                yield parent, child, number
        yield from ((me, child, number) for child in stripe.children)
