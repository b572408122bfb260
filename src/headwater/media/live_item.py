"""What comes out of a source of a live, one by one."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from headwater.media.stream_times import AnyPacket

__all__ = ["MICROS", "Item", "Tracks", "at_us"]

MICROS = Fraction(1, 1_000_000)

Piece: TypeAlias = "AnyPacket | VideoFrame | AudioFrame | None"


@dataclass(frozen=True, slots=True)
class Item:
    """A packet, or a frame where the source makes frames; None: the decoders are to give out what
    they hold, since what follows is not the continuation. `at_us`: by the source's own clock."""

    is_video: bool
    piece: Piece
    at_us: int
    was_due: bool = True
    """It was waited for: nothing is piled up behind it."""
    decode_us: int | None = None
    """When it is decoded; None: when it is shown."""

    @property
    def order_us(self) -> int:
        """By which the pieces of one track are in order."""
        return self.at_us if self.decode_us is None else self.decode_us


@dataclass(frozen=True, slots=True)
class Tracks:
    """What the source has. The streams are None where it makes frames."""

    has_video: bool
    has_audio: bool
    frame_us: int = 33_333
    video: VideoStream | None = None
    audio: AudioStream | None = None
    is_recording: bool = False
    unfit: str = ""
    """Why the picture cannot be passed on as it is, where that is known beforehand."""


def at_us(pts: int, time_base: Fraction) -> int:
    return round(pts * time_base * 1_000_000)
