"""The JSON of lives."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from headwater.web.api.models import Model, NodeName

__all__ = ["Encoder", "Live", "LiveList", "LiveRequest", "Overlay", "OverlayLink"]


class Encoder(Model):
    """What OBS asks for."""

    server: str
    key: str


class Live(Model):
    """`parts`: the WebSocket that a page plays; `hls`, `stream`, `playlist`: for players.
    `delay_s`: from being taken to being on this node, null while that is not known. `recording`:
    the video that it has become, or empty. `message`, `encoder`, `is_from_browser`: for its owner,
    what its source says, where an encoder sends to, whether a page sends it."""

    id: str
    link: str
    title: str
    channel: NodeName
    node: NodeName
    state: Literal["on", "waiting", "ended"]
    media_type: str
    width: int
    height: int
    part_ms: int
    stripes: int
    created: datetime
    uptime_s: float
    viewers: int
    delay_s: float | None
    is_mine: bool
    is_kept: bool
    recording: str
    message: str
    encoder: Encoder | None
    is_from_browser: bool
    parts: str
    hls: str
    stream: str
    playlist: str


class LiveList(Model):
    lives: list[Live]


class LiveRequest(Model):
    """`source`: a path of this machine, `test:`, `screen:`, `camera:`, `push:` (a page sends it to
    `/live-in`), `rtmp:` (an encoder sends it; address, port and key may be given or left to the
    node), or an address that FFmpeg reads. 0: as it comes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, Field(min_length=1, max_length=2000)]
    title: Annotated[str, Field(min_length=1, max_length=300)]
    loop: bool = False
    codec: Literal["h264", "mjpeg"] = "h264"
    bitrate_bps: Annotated[int, Field(ge=0, le=200_000_000)] = 0
    height: Annotated[int, Field(ge=0, le=4320)] = 0
    fps: Annotated[int, Field(ge=0, le=120)] = 0
    gop_s: Annotated[float, Field(gt=0, le=10)] = 1.0
    part_ms: Annotated[int, Field(ge=10, le=2000)] = 100
    rtmp_key: Annotated[str, Field(max_length=200)] = ""
    dvr_s: Annotated[float, Field(ge=0, le=86_400)] = 600.0
    stripes: Annotated[int, Field(ge=1, le=16)] = 4
    keep_recording: bool = True


class OverlayLink(Model):
    """`from` sends `stripe` to `to`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    from_: Annotated[str, Field(alias="from")]
    to: str
    stripe: int


class Overlay(Model):
    """Who feeds this node, who feeds those, and whom it feeds. Empty while it takes no part."""

    stripes: int
    me: str
    source: str
    nodes: list[NodeName]
    links: list[OverlayLink]
