"""Small recordings made for a test: a moving picture and a tone."""

import math
import struct
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

RATE, FRAME = 48000, 1024
SIZE = (160, 90)

TONE = b"".join(
    struct.pack("<hh", *[int(8000 * math.sin(2 * math.pi * 375 * n / RATE))] * 2)
    for n in range(FRAME)
)
"""Eight periods: frames join without a click."""


def make(
    path: Path,
    *,
    video: str | None = "libx264",
    audio: str = "aac",
    seconds: int = 8,
    gop: int = 25,
    is_noisy: bool = False,
) -> Path:
    """A recording of 25 pictures a second, a keyframe every `gop` of them; noise makes it large."""
    options = {
        None: {},
        "libx264": {"preset": "ultrafast", "bf": "2", "g": str(gop), "sc_threshold": "0"},
        "libx265": {"preset": "ultrafast", "x265-params": f"keyint={gop}:log-level=none"},
    }[video]
    with av.open(str(path), "w") as out:
        picture = None
        if video is not None:
            picture = cast(VideoStream, out.add_stream(video, rate=25, options=options))
            picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv420p"
        sound = cast(AudioStream, out.add_stream(audio, rate=RATE))
        sound.layout = "stereo"
        heard = 0
        for number in range(25 * seconds):
            if picture is not None:
                out.mux(picture.encode(_picture(number, is_noisy)))
            while heard < (number + 1) * RATE // 25:
                out.mux(sound.encode(_sound(heard)))
                heard += FRAME
        if picture is not None:
            out.mux(picture.encode(None))
        out.mux(sound.encode(None))
    return path


def _picture(number: int, is_noisy: bool) -> VideoFrame:
    frame, noise = VideoFrame(*SIZE, "yuv420p"), Random(number)
    for plane in frame.planes:
        size = plane.buffer_size
        plane.update(noise.randbytes(size) if is_noisy else bytes([number * 5 % 256]) * size)
    frame.pts, frame.time_base = number, Fraction(1, 25)
    return frame


def _sound(at: int) -> AudioFrame:
    frame = AudioFrame("s16", "stereo", FRAME)
    frame.planes[0].update(TONE)
    frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), at
    return frame
