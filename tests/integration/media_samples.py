"""Small recordings of every kind, each made once for all tests."""

import atexit
import io
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
from av.video.frame import VideoFrame

from headwater.lab.samples import make_video

SMALL = (320, 180)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4": ("film.mp4", {}),
    "index at end": ("film.mp4", {"is_index_in_front": False}),
    "fragmented": ("film.mp4", {"muxing": {"movflags": "frag_keyframe+empty_moov"}}),
    "quicktime": ("film.mov", {}),
    "mkv": ("film.mkv", {}),
    "mkv with subtitles": (
        "film.mkv",
        {"subtitles": [(500, 1500, "Hello <i>you</i>"), (2000, 2900, "Two\nlines")]},
    ),
    "mkv with ac3": ("film.mkv", {"audio": "ac3"}),
    "vp9": ("film.webm", {"video": "vp9", "audio": "opus"}),
    "vp9, cues at end": (
        "film.webm",
        {"video": "vp9", "audio": "opus", "is_index_in_front": False},
    ),
    "vp8": ("film.webm", {"video": "vp8", "audio": "opus"}),
    "hevc": ("film.mp4", {"video": "hevc"}),
    "ten bits": ("film.mp4", {"pixels": "yuv420p10le"}),
    "mpeg2": ("film.ts", {"video": "mpeg2", "audio": "mp3"}),
    "mpeg4": ("film.avi", {"video": "mpeg4", "audio": "mp3"}),
    "ts": ("film.ts", {}),
    "flv": ("film.flv", {}),
    "silent": ("film.mp4", {"audio": None}),
    "turned": ("film.mp4", {"turned": -90}),
    "odd": ("film.mkv", {"video": "mpeg4", "size": (321, 181)}),
    "black": ("film.mp4", {"picture": "plain"}),
    "mp3": ("song.mp3", {"video": None, "audio": "mp3"}),
    "m4a": ("song.m4a", {"video": None}),
}
"""File name, and what make_video is told."""


_home = TemporaryDirectory(prefix="headwater-samples-")
atexit.register(_home.cleanup)


@cache
def sample(kind: str) -> Path:
    """Three seconds of it. Not to be changed: copy it."""
    name, options = KINDS[kind]
    folder = Path(_home.name) / kind
    folder.mkdir()
    return make_video(folder / name, 3, **({"size": SMALL} | options))


def keyframes_s(path: Path) -> list[float]:
    """When the picture can be entered, in seconds."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.video[0])
        return [float(p.pts * p.time_base) for p in packets if p.is_keyframe and p.pts is not None]


def pictures(path: Path) -> list[VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(container.streams.video[0]))


def brightness(frame: VideoFrame, columns: int, rows: int) -> list[int]:
    """The picture as a grid of grey values, row by row."""
    grey = frame.reformat(width=columns, height=rows, format="gray").planes[0]
    raw = bytes(grey)
    return [raw[row * grey.line_size + column] for row in range(rows) for column in range(columns)]


def decode_jpeg(raw: bytes) -> VideoFrame:
    with av.open(io.BytesIO(raw), "r", format="mjpeg") as container:
        return next(container.decode(video=0))
