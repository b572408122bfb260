"""Makes small videos: those that the demo shares, and those that tests and benchmarks need."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
from av.audio.frame import AudioFrame
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame

__all__ = ["PICTURES", "SAMPLES", "Sample", "Subtitle", "make_samples", "make_video"]

Picture = Literal["card", "fractal", "life", "colours", "carpet", "rule", "plain", "late"]
VideoCodec = Literal["h264", "hevc", "vp9", "vp8", "mpeg2", "mpeg4"]
AudioCodec = Literal["aac", "opus", "mp3", "ac3"]
Subtitle = tuple[int, int, str]
"""Begin and end in milliseconds, and the text."""

RATE = 25

PICTURES: dict[Picture, str] = {
    "card": "testsrc2=size={size}:rate={rate}",
    "fractal": "mandelbrot=size={half}:rate={rate}:maxiter=256:end_scale=0.002:end_pts=1500,"
    "scale={size}",
    "life": "life=size={quarter}:rate={rate}:mold=12:ratio=0.12:seed=7:death_color=#C83232"
    ":life_color=#30E070,scale={size}:flags=neighbor",
    "colours": "gradients=size={half}:rate={rate}:speed=0.02:nb_colors=5:seed=3,scale={size}",
    "carpet": "sierpinski=size={half}:rate={rate}:seed=2:jump=40,scale={size}:flags=neighbor,"
    "lutrgb=r=70+val*0.7:g=20+val*0.75:b=90+val*0.3",
    "rule": "cellauto=size={quarter}:rate={rate}:rule=110:seed=5,scale={size}:flags=neighbor,"
    "format=rgb24,lutrgb=r=10+val*0.35:g=40+val*0.75:b=80+val*0.6",
    "plain": "color=color=#4060A0:size={size}:rate={rate}",
    "late": "testsrc2=size={size}:rate={rate},drawbox=t=fill:color=black:enable=lt(t\\,4)",
}
"""FFmpeg's generators by what they show. {half} and {quarter} of the size keep them fast."""

_COUNTER = (
    "testsrc=size=320x240:rate={rate},crop=76:60:218:90,format=gray,"
    "lutyuv=y=if(gt(val\\,225)\\,235\\,16),scale={side}:-2[counter];"
)
"""The seconds that have passed, cut out of the test picture, white on black."""
_TUNE = "0.15*sin(2*PI*t*{base_hz}*pow(2\\,mod(floor(t*2)*5\\,12)/12))"
"""Twelve tones, two a second, by fourths: every video its own `base_hz`."""

_VIDEO: dict[VideoCodec, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "ultrafast", "crf": "28"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "b": "600k"}),
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "b": "600k"}),
    "mpeg2": ("mpeg2video", {"b": "2M"}),
    "mpeg4": ("mpeg4", {"b": "1M"}),
}
_AUDIO: dict[AudioCodec, str] = {
    "aac": "aac",
    "opus": "libopus",
    "mp3": "libmp3lame",
    "ac3": "ac3",
}


_INDEX_IN_FRONT = {
    ".mp4": {"movflags": "faststart"},
    ".mov": {"movflags": "faststart"},
    ".m4a": {"movflags": "faststart"},
    ".mkv": {"cues_to_front": "1"},
    ".webm": {"cues_to_front": "1"},
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One video of the demo: what it shows, and what kind of file it tries out."""

    name: str
    seconds: int
    picture: Picture
    base_hz: int
    video: VideoCodec = "h264"
    audio: AudioCodec = "aac"
    is_index_in_front: bool = True
    subtitles: tuple[tuple[str, str], ...] = ()
    """Languages, with the words of each cue."""


SAMPLES = (
    Sample("Test card.mp4", 40, "card", 220),
    Sample("Fractal dive.mp4", 30, "fractal", 196, is_index_in_front=False),
    Sample("Game of life.mkv", 24, "life", 165),
    Sample("Colours in motion.webm", 24, "colours", 131, video="vp9", audio="opus"),
    Sample("Magic carpet (HEVC).mp4", 20, "carpet", 247, video="hevc"),
    Sample(
        "Rule 110 with subtitles.mp4",
        30,
        "rule",
        175,
        subtitles=(("en", "This is second {n}."), ("de", "Dies ist Sekunde {n}.")),
    ),
)


def make_samples(directory: Path, report: Callable[[int, int], None]) -> list[Path]:
    """The demo's videos, those that are not there yet; `report` gets milliseconds of video.

    Each appears whole under its name, or not at all. Raises: OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    total_ms, done_ms = 1000 * sum(sample.seconds for sample in SAMPLES), 0
    for sample in SAMPLES:
        path = directory / sample.name
        if not path.exists():
            part = path.with_name(f".{path.name}.part{path.suffix}")
            _make(sample, part)
            part.rename(path)
        done_ms += 1000 * sample.seconds
        report(done_ms, total_ms)
    return [directory / sample.name for sample in SAMPLES]


def _make(sample: Sample, path: Path) -> None:
    for language, words in sample.subtitles:
        side = path.with_name(f"{Path(sample.name).stem}.{language}.srt")
        side.write_text(_srt(_cues(sample.seconds, words)), "utf-8")
    make_video(
        path,
        sample.seconds,
        picture=sample.picture,
        base_hz=sample.base_hz,
        video=sample.video,
        audio=sample.audio,
        is_index_in_front=sample.is_index_in_front,
    )


def make_video(
    path: Path,
    seconds: float,
    *,
    picture: Picture = "card",
    size: tuple[int, int] = (640, 360),
    rate: int = RATE,
    base_hz: int = 220,
    video: VideoCodec | None = "h264",
    audio: AudioCodec | None = "aac",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    keyframe_every_s: float = 2,
    is_index_in_front: bool = True,
    turned: int = 0,
    repeats: int = 1,
    subtitles: Sequence[Subtitle] = (),
    muxing: dict[str, str] | None = None,
) -> Path:
    """A video with a counter of seconds in its picture, in the container of the name's ending.

    `repeats`: it comes so many times over, which makes long videos quickly; rounds of a multiple
    of 8 `seconds` join without a seam. `turned`: degrees by which players are told to turn it.
    `subtitles`: a text track inside (MKV only). Blocking. Raises: av.FFmpegError, OSError."""
    usual_muxing = _INDEX_IN_FRONT.get(path.suffix, {}) if is_index_in_front else {}
    graph = _graph(picture, size, rate, base_hz, seconds)
    with (
        av.open(graph, format="lavfi") as source,
        av.open(str(path), "w", options=usual_muxing if muxing is None else muxing) as out,
    ):
        pictures: Any = None
        sounds: Any = None
        if video is not None:
            name, usual = _VIDEO[video]
            pictures = out.add_stream(name, rate=rate, options=usual | (options or {}))
            pictures.width, pictures.height, pictures.pix_fmt = *size, pixels
            pictures.codec_context.gop_size = round(keyframe_every_s * rate)
            if turned:
                pictures.set_display_rotation(turned)
        if audio is not None:
            sounds = out.add_stream(_AUDIO[audio], rate=48_000, layout="stereo")
        texts = _text_packets(out, subtitles)
        _mux(out, _encode(source, pictures, sounds), repeats, Fraction(seconds))
        out.mux(texts)
    return path


def _graph(picture: Picture, size: tuple[int, int], rate: int, base_hz: int, seconds: float) -> str:
    width, height = size
    what = PICTURES[picture].format(
        size=f"{width}x{height}",
        half=f"{width // 2}x{height // 2}",
        quarter=f"{width // 4}x{height // 4}",
        rate=rate,
    )
    counter = _COUNTER.format(rate=rate, side=max(32, width // 6))
    tune = _TUNE.format(base_hz=base_hz)
    return (
        f"{what},format=yuv420p,trim=duration={seconds}[picture];{counter}"
        f"[picture][counter]overlay=x=W-w-12:y=12:shortest=1,format=yuv420p[out0];"
        f"aevalsrc=exprs={tune}:sample_rate=48000:duration={seconds},"
        "aformat=sample_fmts=fltp:channel_layouts=stereo[out1]"
    )


def _encode(source: InputContainer, pictures: Any, sounds: Any) -> Iterator["Packet[Any]"]:
    """`pictures` and `sounds`: the encoding streams, None for what is left out."""
    for frame in source.decode():
        if isinstance(frame, VideoFrame) and pictures is not None:
            picture = frame.reformat(format=pictures.pix_fmt)
            picture.pict_type = PictureType.NONE
            yield from pictures.encode(picture)
        elif isinstance(frame, AudioFrame) and sounds is not None:
            yield from sounds.encode(frame)
    for encoder in (pictures, sounds):
        if encoder is not None:
            yield from encoder.encode(None)


def _mux(
    out: OutputContainer, packets: Iterator["Packet[Any]"], repeats: int, round_s: Fraction
) -> None:
    if repeats == 1:
        for packet in packets:
            out.mux(packet)
        return
    kept = sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base)
    for number in range(repeats):
        for packet in kept:
            if number == 0 or 0 <= (packet.pts or 0) * packet.time_base < round_s:
                out.mux(_later(packet, number * round_s))


def _later(packet: "Packet[Any]", by_s: Fraction) -> "Packet[Any]":
    """A copy: muxing a packet takes what is in it."""
    shift = round(by_s / packet.time_base)
    copy: Packet[Any] = Packet(bytes(packet))
    copy.stream, copy.time_base, copy.duration = packet.stream, packet.time_base, packet.duration
    copy.pts, copy.dts = (packet.pts or 0) + shift, (packet.dts or 0) + shift
    copy.is_keyframe = packet.is_keyframe
    return copy


def _cues(seconds: int, words: str) -> list[Subtitle]:
    return [(1000 * n, 1000 * n + 900, words.format(n=n)) for n in range(seconds)]


def _srt(cues: Sequence[Subtitle]) -> str:
    blocks = (
        f"{number}\n{_clock(begin)} --> {_clock(end)}\n{text}\n"
        for number, (begin, end, text) in enumerate(cues, 1)
    )
    return "\n".join(blocks)


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{ms:03}"


def _text_packets(out: OutputContainer, cues: Sequence[Subtitle]) -> list["Packet[Any]"]:
    """FFmpeg writes no text subtitles from nothing: it copies them out of an SRT file in memory."""
    if not cues:
        return []
    with av.open(io.BytesIO(_srt(cues).encode()), "r", format="srt") as file:
        track = out.add_stream_from_template(file.streams.subtitles[0])
        packets = [packet for packet in file.demux() if packet.size]
        for packet in packets:
            packet.stream = track
        return packets
