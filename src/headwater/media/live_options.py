"""What a live is made from and how, and what the making says: plain data."""

from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from headwater.media.live_feed import Feed

__all__ = ["Codec", "IngestState", "LiveOptions", "MadePart", "State"]

Codec = Literal["h264", "mjpeg"]
State = Literal["starting", "on", "waiting", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """`source`: a path; `test:`; `screen:`; `camera:`; `push:` (bytes by `feed`);
    `rtmp://HOST:PORT/APP/KEY` (listens); any other address that FFmpeg reads. 0: as it is."""

    source: str
    loop: bool = False
    """A file begins again at its end."""
    codec: Codec = "h264"
    bitrate_bps: int = 0
    """Of the picture. Asking for one, or for a height or a rate, means encoding."""
    height: int = 0
    fps: int = 0
    gop_s: float = 1.0
    """From keyframe to keyframe, where the picture is encoded here."""
    part_ms: int = 100
    rtmp_key: str = ""
    """Instead of the one in the address."""
    feed: Feed | None = field(default=None, compare=False)
    """Where the bytes of `push:` come from."""


class MadePart(Struct, frozen=True, tag="part"):
    """An init (ftyp + moov), or a fragment (moof + mdat); with `mjpeg`, one JPEG picture.

    An init begins an epoch. For `mjpeg` it says nothing: parts are pictures of their own."""

    is_init: bool
    is_key: bool
    pts_us: int
    """From the start of the live on; goes on without a gap over all epochs."""
    duration_us: int
    capture_us: int
    """When its first picture was there, microseconds since 1970."""
    payload: bytes
    media_type: str = ""
    """Of an init: what a browser's SourceBuffer is asked for."""
    width: int = 0
    height: int = 0


class IngestState(Struct, frozen=True, tag="state"):
    state: State
    message: str
    """In plain words: what happens, and what to do where something can be done."""
