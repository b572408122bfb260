"""What a recording is, and what it takes to show it in a browser. Pure."""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Plays",
    "Probe",
    "SubtitleTrack",
    "Tracks",
    "copies_audio",
    "copies_video",
    "media_type",
    "what_it_takes",
]

Plays = Literal["direct", "remux", "transcode", "no"]


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """A text track inside the file."""

    index: int
    """Of the stream."""
    codec: str
    language: str
    """As the file tells it (`eng`, `de`), or empty."""
    label: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A recording, as `VideoEntry` tells of it. `width` and `height`: as a viewer sees it."""

    media_type: str
    duration_ms: int
    width: int
    height: int
    codecs: tuple[str, ...]
    """FFmpeg's names: the picture's, then the sound's."""
    plays: Plays
    index_in_front: bool
    bitrate_bps: int
    subtitles: tuple[SubtitleTrack, ...]

    @property
    def needs_copy(self) -> bool:
        """Whether browsers are better served by a prepared copy."""
        return self.plays in ("remux", "transcode") or (
            self.plays == "direct" and not self.index_in_front
        )


@dataclass(frozen=True, slots=True)
class Tracks:
    """What decides how a recording plays. Empty strings where there is no such track."""

    video: str
    pixels: str
    """FFmpeg's pixel format."""
    audio: str


def what_it_takes(kind: str, tracks: Tracks) -> Plays:
    """`kind`: mp4, quicktime, webm, matroska, or another container's short name."""
    if not tracks.video and not tracks.audio:
        return "no"
    if _plays_in_webm(tracks) and kind == "webm":
        return "direct"
    if not tracks.video and (kind, tracks.audio) in _PLAIN_SOUND:
        return "direct"
    if _plays_in_mp4(tracks):
        return "direct" if kind == "mp4" else "remux"
    return "transcode"


_PLAIN_SOUND = frozenset(
    {
        ("mp3", "mp3"),
        ("flac", "flac"),
        ("ogg", "vorbis"),
        ("ogg", "opus"),
        ("wav", "pcm_s16le"),
        ("aac", "aac"),
    }
)


def copies_video(tracks: Tracks) -> bool:
    """Whether every browser shows this picture track, in an MP4, as it is."""
    if tracks.video == "h264":
        return tracks.pixels in ("yuv420p", "yuvj420p")
    if tracks.video == "vp9":
        return tracks.pixels == "yuv420p"
    return tracks.video == "av1" and tracks.pixels in ("yuv420p", "yuv420p10le")


def copies_audio(tracks: Tracks) -> bool:
    """Whether every browser plays this sound track, in an MP4, as it is."""
    return tracks.audio in ("aac", "mp3", "opus")


def _plays_in_mp4(tracks: Tracks) -> bool:
    return (not tracks.video or copies_video(tracks)) and (not tracks.audio or copies_audio(tracks))


def _plays_in_webm(tracks: Tracks) -> bool:
    picture = tracks.video in ("", "vp8") or (
        tracks.video in ("vp9", "av1") and copies_video(tracks)
    )
    return picture and tracks.audio in ("", "opus", "vorbis")


_MEDIA_TYPES = {
    "mp4": "mp4",
    "quicktime": "quicktime",
    "webm": "webm",
    "matroska": "x-matroska",
    "mpegts": "mp2t",
    "mpeg": "mpeg",
    "mpegvideo": "mpeg",
    "avi": "x-msvideo",
    "ogg": "ogg",
    "flv": "x-flv",
    "asf": "x-ms-wmv",
    "wav": "wav",
    "mp3": "mpeg",
    "flac": "flac",
    "aac": "aac",
}


def media_type(kind: str, *, has_picture: bool) -> str:
    """Of a container `kind` as for `what_it_takes`."""
    return f"{'video' if has_picture else 'audio'}/{_MEDIA_TYPES.get(kind, 'octet-stream')}"
