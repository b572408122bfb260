"""What a recording is, and what it takes to show it in a browser."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from headwater.errors import MediaError
from headwater.media.layout import Layout, layout_of
from headwater.media.source import open_container, open_file
from headwater.media.tracks import main_audio, main_video, text_tracks
from headwater.media.worker_child import Report

__all__ = ["Plays", "Probe", "SubtitleTrack", "Tracks", "probe", "probe_job", "what_it_takes"]

Plays = Literal["direct", "remux", "transcode", "no"]

MAX_SIDE_PIXELS = 16384
MAX_PICTURE_PIXELS = 64 * 1024 * 1024
"""8K is half of that; a picture is held in memory several times over while it is read."""
_MAX_SUBTITLES = 32
_FIRST_FRAME_PACKETS = 500


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
    """A recording, as `VideoEntry` tells of it. `width` and `height`: as shown, turned and stretched."""

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
        return self.plays in ("remux", "transcode") or (self.plays == "direct" and not self.index_in_front)


@dataclass(frozen=True, slots=True)
class Tracks:
    """What decides how a recording plays. Empty strings where there is no such track."""

    video: str
    pixels: str
    """FFmpeg's pixel format."""
    audio: str


def probe(path: Path) -> Probe:
    """Look into the file. Blocking, and it reads what strangers wrote: use `probe_job` in a process.

    Raises: NotFound; MediaError for what is no recording, is damaged, or must not be opened."""
    with open_file(path) as file:
        layout = layout_of(file)
        file.seek(0)
        with open_container(file, path.name) as container:
            return _probe(container, layout, path.stat().st_size, path.name)


def probe_job(report: Report, path: Path) -> Probe:
    """`probe`, as `in_process` runs it."""
    return probe(path)


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
    {("mp3", "mp3"), ("flac", "flac"), ("ogg", "vorbis"), ("ogg", "opus"), ("wav", "pcm_s16le"), ("aac", "aac")}
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
    picture = tracks.video in ("", "vp8") or (tracks.video in ("vp9", "av1") and copies_video(tracks))
    return picture and tracks.audio in ("", "opus", "vorbis")


def tracks_of(container: InputContainer) -> Tracks:
    video, audio = main_video(container), main_audio(container)
    return Tracks(
        _codec(video.codec_context.name) if video else "",
        (video.codec_context.pix_fmt or "") if video else "",
        _codec(audio.codec_context.name) if audio else "",
    )


def _codec(decoder: str) -> str:
    """FFmpeg names some decoders after libraries, and MP3's after its arithmetic."""
    return {"libdav1d": "av1", "mp3float": "mp3", "libvpx-vp9": "vp9", "libopus": "opus"}.get(decoder, decoder)


def _probe(container: InputContainer, layout: Layout, size_bytes: int, name: str) -> Probe:
    video, audio = main_video(container), main_audio(container)
    if video is None and audio is None:
        raise MediaError(f"{name} holds neither pictures nor sound")
    frame = _first_frame(container, video, name) if video else None
    tracks, kind = tracks_of(container), _kind(container, layout)
    width, height = _shown_size(video, frame) if video and frame else (0, 0)
    duration_ms = _duration_ms(container)
    return Probe(
        media_type=_media_type(kind, has_picture=video is not None),
        duration_ms=duration_ms,
        width=width,
        height=height,
        codecs=tuple(codec for codec in (tracks.video, tracks.audio) if codec),
        plays=what_it_takes(kind, tracks),
        index_in_front=layout.index_in_front,
        bitrate_bps=size_bytes * 8000 // duration_ms if duration_ms else 0,
        subtitles=tuple(
            SubtitleTrack(s.index, s.codec_context.name, (s.language or "")[:64], s.metadata.get("title", "")[:64])
            for s in text_tracks(container)[:_MAX_SUBTITLES]
        ),
    )


def _first_frame(container: InputContainer, video: VideoStream, name: str) -> VideoFrame:
    size = (video.codec_context.width, video.codec_context.height)
    if max(size) > MAX_SIDE_PIXELS or size[0] * size[1] > MAX_PICTURE_PIXELS:
        raise MediaError(f"{name} has pictures of {size[0]}x{size[1]}, more than can be handled here")
    for count, packet in enumerate(container.demux(video)):
        try:
            for frame in packet.decode():
                return frame
        except av.FFmpegError:
            continue  # a recording may begin amid a group of pictures
        if count == _FIRST_FRAME_PACKETS:
            break
    raise MediaError(f"{name} holds no picture that can be decoded")


def _shown_size(video: VideoStream, frame: VideoFrame) -> tuple[int, int]:
    aspect = video.sample_aspect_ratio or 1
    width, height = max(1, round(frame.width * aspect)), frame.height
    return (height, width) if frame.rotation % 180 else (width, height)


def _duration_ms(container: InputContainer) -> int:
    return max(0, (container.duration or 0) * 1000 // av.time_base)


def _kind(container: InputContainer, layout: Layout) -> str:
    if container.format.name.startswith("matroska"):
        return "webm" if layout.kind == "webm" else "matroska"
    if container.format.name.startswith("mov"):
        return "quicktime" if container.metadata.get("major_brand", "qt").startswith("qt") else "mp4"
    return container.format.name


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


def _media_type(kind: str, *, has_picture: bool) -> str:
    return f"{'video' if has_picture else 'audio'}/{_MEDIA_TYPES.get(kind, 'octet-stream')}"
