"""The JSON of lives."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from headwater.web.api.models import Model, NodeName

__all__ = ["Live", "LiveList", "Overlay", "OverlayLink"]


class Live(Model):
    """`parts`: the WebSocket that a page plays; `hls`, `stream`, `playlist`: for players.
    `delay_s`: from being taken to being on this node, null while that is not known. `recording`:
    the video that it has become, or empty. `message`, `encoder`: for who made it, what its source
    does, and where an encoder sends to."""

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
    parts: str
    hls: str
    stream: str
    playlist: str


class LiveList(Model):
    lives: list[Live]


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
