"""Clips whose pictures are numbered and whose sound beeps in step, as files or as an encoder that
sends them; and what came out of the ingest, decoded again."""

import io
import json
import sys
import time
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import pi, sin
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.video.frame import PictureType, VideoFrame

from headwater.media.live_clock import burn, read_clock
from headwater.media.live_options import MadePart

RATE = 48_000
BEEP_EVERY_S = 0.5
_BEEP_S = 0.05
_TICK = Fraction(1, 90_000)


@dataclass(frozen=True)
class Clip:
    """Pictures are numbered from `first` on; every half second the sound beeps for 50 ms."""

    seconds: float = 2.0
    fps: int = 30
    gop_s: float = 1.0
    b_frames: int = 0
    size: tuple[int, int] = (320, 180)
    has_video: bool = True
    has_audio: bool = True
    sound_s: float = 1e9
    """It stops then."""
    first: int = 0
    video: str = "libx264"
    audio: str = "aac"
    pixels: str = "yuv420p"
    jumps_s: dict[int, float] = field(default_factory=dict)
    """By number of the picture: how far the clock jumps there."""
    left_out: tuple[int, ...] = ()
    """Pictures that are not there: variable frame rate."""
    damaged: tuple[int, ...] = ()
    is_paced: bool = False
    speed: float = 1.0


def write(clip: Clip, url: str, format: str | None = None, **options: str) -> None:
    """Blocking. To a file, or to whoever listens."""
    with av.open(url, "w", format=format, options=options) as out:
        video: Any = None
        audio: Any = None
        if clip.has_video:
            video = out.add_stream(clip.video, rate=clip.fps, options=_coding(clip))
            video.width, video.height = clip.size
            video.pix_fmt = clip.pixels
            video.codec_context.time_base = _TICK
            video.codec_context.max_b_frames = clip.b_frames
            video.codec_context.gop_size = 9999
        if clip.has_audio:
            audio = out.add_stream(clip.audio, rate=RATE, layout="stereo")
        began, sounded, shift_s = time.monotonic(), 0, 0.0
        for number in range(int(clip.seconds * clip.fps)):
            at_s = number / clip.fps
            shift_s += clip.jumps_s.get(number, 0.0)
            if clip.is_paced:
                time.sleep(max(0.0, began + at_s / clip.speed - time.monotonic()))
            if audio is not None and at_s < clip.sound_s:
                until = int((at_s + 1 / clip.fps) * RATE) // 960 * 960
                for start in range(sounded, until, 960):
                    _mux(out, audio.encode(sound(start, 960, shift_s)))
                sounded = until
            if video is not None and number not in clip.left_out:
                frame = picture(clip, number)
                frame.pts, frame.time_base = round((at_s + shift_s) / _TICK), _TICK
                every = round(clip.gop_s * clip.fps)
                frame.pict_type = PictureType.NONE if number % every else PictureType.I
                _mux(out, video.encode(frame), number in clip.damaged)
        for stream in (video, audio):
            if stream is not None:
                _mux(out, stream.encode(None))


def _coding(clip: Clip) -> dict[str, str]:
    if clip.video != "libx264":
        return {}
    low_delay = {} if clip.b_frames else {"tune": "zerolatency"}
    return {"preset": "ultrafast", "forced-idr": "1", "sc_threshold": "0", "crf": "24", **low_delay}


def _mux(out: Any, packets: Sequence[Any], is_damaged: bool = False) -> None:
    for packet in packets:
        if is_damaged:
            raw = bytearray(bytes(packet))
            raw[4 : len(raw) // 2] = b"\xa5" * (len(raw) // 2 - 4)
            if raw[:4] == b"\0\0\0\1":
                raw[4] = 0x41
            packet.update(bytes(raw))
        out.mux(packet)


def picture(clip: Clip, number: int) -> VideoFrame:
    width, height = clip.size
    frame = VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (90, 110, 150), strict=True):
        plane.update(bytes((value,)) * plane.buffer_size)
    plane = frame.planes[0]
    number += clip.first
    burn(memoryview(plane).cast("B"), plane.line_size, width, height, number, f"{number:04}")
    return frame if clip.pixels == "yuv420p" else frame.reformat(format=clip.pixels)


def sound(start: int, samples: int, shift_s: float) -> AudioFrame:
    wave = array("f")
    for number in range(start, start + samples):
        is_beep = number % int(BEEP_EVERY_S * RATE) < _BEEP_S * RATE
        wave.append(0.5 * sin(2 * pi * 1000 * number / RATE) if is_beep else 0.0)
    frame = AudioFrame("fltp", "stereo", samples)
    for plane in frame.planes:
        plane.update(wave.tobytes() + bytes(plane.buffer_size - 4 * samples))
    frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
    frame.pts = start + round(shift_s * RATE)
    return frame


@dataclass(frozen=True)
class Played:
    """Seconds. `numbers`: as burnt into the pictures, None where unreadable."""

    numbers: list[int | None]
    shown_s: list[float]
    beeps_s: list[float]
    sound_s: list[float]
    size: tuple[int, int]


def play(raw: bytes) -> Played:
    """What a fresh decoder makes of an init and the parts after it."""
    numbers: list[int | None] = []
    shown, heard, waves, size = (
        list[float](),
        list[float](),
        list[tuple[float, "array[float]", int]](),
        (0, 0),
    )
    with av.open(io.BytesIO(raw), "r", format="mp4") as container:
        for frame in container.decode():
            assert frame.pts is not None and frame.time_base is not None
            at_s = float(frame.pts * frame.time_base)
            if isinstance(frame, VideoFrame):
                shown.append(at_s)
                plane, size = frame.planes[0], (frame.width, frame.height)
                numbers.append(read_clock(bytes(plane), *size, plane.line_size))
            elif isinstance(frame, AudioFrame):
                heard.append(at_s)
                wave = array("f", bytes(frame.planes[0])[: 4 * frame.samples])
                waves.append((at_s, wave, frame.sample_rate))
    return Played(numbers, shown, _beeps(waves), heard, size)


def _beeps(waves: Sequence[tuple[float, "array[float]", int]]) -> list[float]:
    """When each begins: the first loud sample after 100 ms of quiet."""
    begins, last = list[float](), -1.0
    for at_s, wave, rate in waves:
        for index, value in enumerate(wave):
            if abs(value) < 0.15:
                continue
            now = at_s + index / rate
            if now - last > 0.1:
                begins.append(now)
            last = now
    return begins


def epochs(parts: Sequence[MadePart]) -> list[list[MadePart]]:
    """Each begins with its init."""
    begins = [index for index, part in enumerate(parts) if part.is_init]
    assert begins and begins[0] == 0
    return [list(parts[a:b]) for a, b in pairwise([*begins, len(parts)])]


def joined(parts: Sequence[MadePart]) -> bytes:
    return b"".join(part.payload for part in parts)


def main() -> None:
    """An encoder of its own process: `python live_clips.py URL FORMAT CLIP`."""
    url, format, told = sys.argv[1:4]
    fields = json.loads(told)
    fields |= {name: tuple(fields[name]) for name in ("size", "left_out", "damaged")}
    fields["jumps_s"] = {int(number): by for number, by in fields["jumps_s"].items()}
    write(Clip(**fields), url, format)


def told(clip: Clip) -> str:
    return json.dumps(asdict(clip))


if __name__ == "__main__":
    main()
