"""The JSON of the API: ids in hex, times ISO 8601, units in the names."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Address",
    "Destination",
    "Holder",
    "Invitation",
    "JobList",
    "JobView",
    "Limits",
    "NodeName",
    "Peer",
    "PeerList",
    "Removed",
    "Settings",
    "SettingsChange",
    "Share",
    "ShareList",
    "ShareRequest",
    "Source",
    "Sources",
    "Status",
    "Storyboard",
    "Stream",
    "Subtitles",
    "Unshare",
    "Video",
    "VideoList",
    "VideoPage",
]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class NodeName(Model):
    id: str
    name: str
    is_me: bool


class Holder(NodeName):
    whole: bool


class Storyboard(Model):
    url: str
    columns: int
    rows: int
    step_s: float


class Subtitles(Model):
    language: str
    label: str
    url: str


class Stream(Model):
    """How a browser plays it: the file itself, an HLS playlist made on the fly, or not at all."""

    kind: Literal["file", "hls", "none"]
    url: str


class Video(Model):
    id: str
    link: str
    title: str
    file_name: str
    media_type: str
    plays: Literal["direct", "remux", "transcode", "no"]
    duration_s: float
    size_bytes: int
    width: int
    height: int
    codecs: list[str]
    channel: NodeName
    created: datetime
    poster: str | None
    storyboard: Storyboard | None
    subtitles: list[Subtitles]
    state: Literal["shared", "kept", "partial", "remote", "problem"]
    have_bytes: int
    problem: str
    holders: list[Holder]
    stream: Stream
    download: str


class VideoPage(Model):
    total: int
    videos: list[Video]


class VideoList(Model):
    videos: list[Video]


class Limits(Model):
    """Bytes a second; 0 means no limit."""

    up_bytes_s: int
    down_bytes_s: int


class Status(Model):
    id: str
    name: str
    version: str
    uptime_s: float
    page: str
    state_dir: str
    folders: list[str]
    peers: int
    videos: int
    limits: Limits
    token_needed: bool
    is_owner: bool


class Settings(Model):
    """`name` is empty where nobody gave one: then `default_name` counts. Limits: bytes a second, 0
    for none. `said_at_start`: which of them a flag or the environment gave at this start, by what;
    said again at the next start it wins over what is set here. `folders_at_start`: the folders that
    the start itself named; they are shared again at the next one."""

    name: str
    default_name: str
    up_bytes_s: int
    down_bytes_s: int
    said_at_start: dict[str, str]
    folders_at_start: list[str]


_Rate = Annotated[int, Field(ge=0, le=2**53)]


class SettingsChange(Model):
    """What is absent stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    up_bytes_s: _Rate | None = None
    down_bytes_s: _Rate | None = None


class Source(NodeName):
    bytes: int
    rate_bytes_s: float
    rtt_ms: float | None


class Sources(Model):
    """`ranges`: bytes [start, end) and the id of the node they came from, or "here"."""

    nodes: list[Source]
    ranges: list[tuple[int, int, str]]
    size_bytes: int
    waiting_for: str
    changed_on: str


class JobView(Model):
    id: str
    kind: str
    title: str
    phase: str
    done: int
    total: int
    unit: Literal["bytes", "ms"]
    rate: float
    eta_s: float | None
    video: str
    error: str
    code: str
    can_pause: bool


class JobList(Model):
    jobs: list[JobView]


class Peer(Model):
    id: str
    name: str
    page: str
    since: datetime | None
    path: str
    rtt_ms: float | None
    down_bytes_s: float
    up_bytes_s: float
    videos: int
    connected: bool
    blocked: bool


class PeerList(Model):
    peers: list[Peer]


class Address(Model):
    """`host:port` of a page, or `headwater://join/...`."""

    address: str


class Invitation(Model):
    link: str
    qr_svg: str


class Share(Model):
    path: str
    video: str
    problem: str


class ShareList(Model):
    folders: list[str]
    shares: list[Share]


class ShareRequest(Model):
    """`prepare`: make a copy of what browsers cannot play; absent: as configured."""

    path: str
    prepare: bool | None = None


class Unshare(Model):
    path: str


class Destination(Model):
    directory: str


class Removed(Model):
    """`uploads`: uploaded files that are shared no more and still lie on the node's machine."""

    videos: list[str]
    uploads: list[str]
