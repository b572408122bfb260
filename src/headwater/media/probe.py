"""What a recording is, and what it takes to show it in a browser."""

from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from headwater.errors import MediaError
from headwater.media.layout import Layout, layout_of
from headwater.media.picture import shown_size
from headwater.media.recording import Probe, SubtitleTrack, Tracks, media_type, what_it_takes
from headwater.media.regular import open_regular
from headwater.media.source import open_container
from headwater.media.tracks import main_audio, main_video, text_tracks

__all__ = ["probe", "probe_container", "tracks_of"]

MAX_SIDE_PIXELS = 16384
MAX_PICTURE_PIXELS = 64 * 1024 * 1024
"""8K is half of that; a picture is held in memory several times over while it is read."""
_MAX_SUBTITLES = 32
_FIRST_FRAME_PACKETS = 500


def probe(path: Path) -> Probe:
    """Look into the file. Blocking, and it reads what strangers wrote: only in a worker.

    Raises: NotFound; MediaError for what is no recording, is damaged, or must not be opened."""
    with open_regular(path) as file:
        layout = layout_of(file)
        file.seek(0)
        with open_container(file, path.name) as container:
            return probe_container(container, layout, path.stat().st_size, path.name)


def tracks_of(container: InputContainer) -> Tracks:
    video, audio = main_video(container), main_audio(container)
    return Tracks(
        _codec(video.codec_context.name) if video else "",
        (video.codec_context.pix_fmt or "") if video else "",
        _codec(audio.codec_context.name) if audio else "",
    )


def _codec(decoder: str) -> str:
    """FFmpeg names some decoders after libraries, and MP3's after its arithmetic."""
    return {"libdav1d": "av1", "mp3float": "mp3", "libvpx-vp9": "vp9", "libopus": "opus"}.get(
        decoder, decoder
    )


def probe_container(container: InputContainer, layout: Layout, size_bytes: int, name: str) -> Probe:
    video, audio = main_video(container), main_audio(container)
    if video is None and audio is None:
        raise MediaError(f"{name} holds neither pictures nor sound")
    frame = _first_frame(container, video, name) if video else None
    tracks, kind = tracks_of(container), _kind(container, layout)
    width, height = shown_size(video, frame) if video and frame else (0, 0)
    duration_ms = _duration_ms(container)
    return Probe(
        media_type=media_type(kind, has_picture=video is not None),
        duration_ms=duration_ms,
        width=width,
        height=height,
        codecs=tuple(codec for codec in (tracks.video, tracks.audio) if codec),
        plays=what_it_takes(kind, tracks),
        index_in_front=layout.index_in_front,
        bitrate_bps=size_bytes * 8000 // duration_ms if duration_ms else 0,
        subtitles=tuple(
            SubtitleTrack(
                s.index,
                s.codec_context.name,
                (s.language or "")[:64],
                s.metadata.get("title", "")[:64],
            )
            for s in text_tracks(container)[:_MAX_SUBTITLES]
        ),
    )


def _first_frame(container: InputContainer, video: VideoStream, name: str) -> VideoFrame:
    size = (video.codec_context.width, video.codec_context.height)
    if max(size) > MAX_SIDE_PIXELS or size[0] * size[1] > MAX_PICTURE_PIXELS:
        raise MediaError(
            f"{name} has pictures of {size[0]}x{size[1]}, more than can be handled here"
        )
    for count, packet in enumerate(container.demux(video)):
        try:
            for frame in packet.decode():
                return frame
        except av.FFmpegError:
            continue  # a recording may begin amid a group of pictures
        if count == _FIRST_FRAME_PACKETS:
            break
    raise MediaError(f"{name} holds no picture that can be decoded")


def _duration_ms(container: InputContainer) -> int:
    return max(0, (container.duration or 0) * 1000 // av.time_base)


def _kind(container: InputContainer, layout: Layout) -> str:
    if container.format.name.startswith("matroska"):
        return "webm" if layout.kind == "webm" else "matroska"
    if container.format.name.startswith("mov"):
        return (
            "quicktime" if container.metadata.get("major_brand", "qt").startswith("qt") else "mp4"
        )
    return container.format.name
