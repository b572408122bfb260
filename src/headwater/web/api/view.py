"""What the node knows, as the API shows it. Pure: no I/O beyond look-ups in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

from headwater.node.activity import Job
from headwater.web.api.models import (
    Holder,
    JobView,
    NodeName,
    Removed,
    Storyboard,
    Stream,
    Subtitles,
    Video,
)
from headwater.web.port import CataloguedVideo, Node, StoredVideo, TakenBack
from headwater.wire.ids import BLOCK_BYTES, NodeId, VideoId, short_id
from headwater.wire.items import VideoEntry

__all__ = ["Mesh", "job_view", "link_to", "removed"]


def link_to(video: VideoId) -> str:
    return f"headwater://video/{video.hex()}"


def job_view(job: Job) -> JobView:
    left = job.total - job.done
    return JobView(
        id=job.id,
        kind=job.kind,
        title=job.title,
        phase=job.phase,
        done=job.done,
        total=job.total,
        unit="ms" if job.phase == "preparing" else "bytes",
        rate=job.rate,
        eta_s=left / job.rate if job.rate > 0 and left > 0 and not job.is_ended else None,
        video=job.video,
        error=job.error,
        code=job.code,
        can_pause=job.pause is not None,
    )


def removed(taken: TakenBack) -> Removed:
    return Removed(
        videos=[video.hex() for video in taken.videos],
        uploads=[str(path) for path in taken.uploads],
    )


class Mesh:
    """One request's view of who is there, looked up once for a whole list of videos."""

    def __init__(self, node: Node) -> None:
        self._node, self._me = node, node.identity.node
        self._alive = {item.author for item in node.catalogue.nodes()}
        self._alive.update(node.neighbours.connected())

    def name(self, node: NodeId) -> NodeName:
        if node == self._me:
            return NodeName(id=node.hex(), name=self._node.name, is_me=True)
        name = self._node.catalogue.last_name(node) or short_id(node)
        return NodeName(id=node.hex(), name=name, is_me=False)

    def videos(self, found: Sequence[CataloguedVideo]) -> list[Video]:
        return [self.video(one) for one in found]

    def video(self, found: CataloguedVideo) -> Video:
        entry, video = found.entry, found.video
        base = f"/v/{video.hex()}"
        stored = self._node.store.get(video)
        return Video(
            id=video.hex(),
            link=link_to(video),
            title=entry.title,
            file_name=entry.file_name,
            media_type=entry.media_type,
            plays=entry.plays,
            duration_s=entry.duration_ms / 1000,
            size_bytes=entry.size_bytes,
            width=entry.width,
            height=entry.height,
            codecs=list(entry.codecs),
            channel=self.name(found.channel),
            created=datetime.fromtimestamp(entry.created_ms / 1000, UTC),
            poster=f"{base}/poster" if entry.poster else None,
            storyboard=_storyboard(entry, base),
            subtitles=[
                Subtitles(language=s.language, label=s.label, url=f"{base}/subtitles/{n}.vtt")
                for n, s in enumerate(entry.subtitles)
            ],
            state=_state(stored, found.channel == self._me),
            have_bytes=_have_bytes(stored),
            problem=stored.problem if stored is not None else "",
            holders=self._holders(video, stored),
            stream=_stream(entry, base),
            download=f"{base}/file/{quote(entry.file_name, safe='')}?download=true",
        )

    def _holders(self, video: VideoId, stored: StoredVideo | None) -> list[Holder]:
        holders = self._node.catalogue.holders(video)
        found = {node: False for node in holders.partial if node in self._alive}
        found |= {node: True for node in holders.whole if node in self._alive}
        found.pop(self._me, None)
        if stored is not None and stored.have_blocks and not stored.problem:
            found = {self._me: stored.is_whole} | found
        return [
            Holder(**self.name(node).model_dump(), whole=whole) for node, whole in found.items()
        ]


def _storyboard(entry: VideoEntry, base: str) -> Storyboard | None:
    if not entry.storyboard:
        return None
    return Storyboard(
        url=f"{base}/storyboard",
        columns=entry.storyboard_columns,
        rows=entry.storyboard_rows,
        step_s=entry.storyboard_step_ms / 1000,
    )


def _stream(entry: VideoEntry, base: str) -> Stream:
    if entry.groups and entry.plays != "no":
        return Stream(kind="hls", url=f"{base}/recording.m3u8")
    if entry.plays == "direct":
        return Stream(kind="file", url=f"{base}/file")
    if entry.plays == "no":
        return Stream(kind="none", url="")
    return Stream(kind="hls", url=f"{base}/hls/index.m3u8")


def _state(
    stored: StoredVideo | None, is_mine: bool
) -> Literal["shared", "kept", "partial", "remote", "problem"]:
    if stored is None:
        return "remote"
    if stored.problem:
        return "problem"
    if not stored.owned or stored.source is not None or is_mine:
        return "shared"
    if stored.is_whole:
        return "kept"
    return "partial" if stored.have_blocks else "remote"


def _have_bytes(stored: StoredVideo | None) -> int:
    if stored is None:
        return 0
    return min(stored.have_blocks * BLOCK_BYTES, stored.shape.size_bytes)
