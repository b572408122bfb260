"""Which of a recording's tracks are the recording: the rest are covers, comments, languages."""

from collections.abc import Sequence
from typing import TypeVar

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

__all__ = ["main_audio", "main_video", "text_tracks"]

TEXT_CODECS = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
"""Subtitles made of letters; the others are pictures, which WebVTT cannot hold."""

S = TypeVar("S", bound=Stream)


def main_video(container: InputContainer) -> VideoStream | None:
    """The default video track, else the first; a cover picture is none."""
    return _main(
        [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    )


def main_audio(container: InputContainer) -> AudioStream | None:
    """The default sound track, else the first."""
    return _main(container.streams.audio)


def text_tracks(container: InputContainer) -> list[Stream]:
    return [s for s in container.streams.subtitles if s.codec_context.name in TEXT_CODECS]


def _main(streams: Sequence[S]) -> S | None:
    known = [stream for stream in streams if stream.codec_context is not None]
    default = (stream for stream in known if stream.disposition & Disposition.default)
    return next(default, known[0] if known else None)
