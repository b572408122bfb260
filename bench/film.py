"""The film that is played: ten minutes of H.264 and AAC in an MP4 with its index in front."""

from fractions import Fraction
from pathlib import Path

import av
import platformdirs
from av.video.frame import PictureType

__all__ = ["DURATION_S", "cache", "film"]

DURATION_S = 600
PART_S = 60
RATE = 25
KEYFRAME_S = 2
VIDEO_BPS = 1_500_000


def cache() -> Path:
    """Where made inputs are kept between runs."""
    folder = platformdirs.user_cache_path("headwater", appauthor=False) / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def film() -> Path:
    """The film, made at the first call. Blocking."""
    path = cache() / f"film-{DURATION_S}s-640x360.mp4"
    if not path.exists():
        part, whole = path.with_suffix(".minute.mp4"), path.with_suffix(".part.mp4")
        _encode(part)
        _repeat(part, whole)
        part.unlink()
        whole.replace(path)
    return path


def _encode(path: Path) -> None:
    """A minute of moving picture with grain, so that it has the bitrate of a real one."""
    scene = f"testsrc2=size=640x360:rate={RATE}:duration={PART_S},noise=alls=12:allf=t"
    with (
        av.open(scene, format="lavfi") as source,
        av.open(f"sine=frequency=330:sample_rate=48000:duration={PART_S}", format="lavfi") as tone,
        av.open(str(path), "w") as target,
    ):
        options = {"preset": "veryfast", "keyint_min": str(RATE * KEYFRAME_S), "sc_threshold": "0"}
        video = target.add_stream("libx264", rate=RATE, options=options)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        video.bit_rate, video.gop_size = VIDEO_BPS, RATE * KEYFRAME_S
        audio = target.add_stream("aac", rate=48000)
        for frame in source.decode(video=0):
            picture = frame.reformat(format="yuv420p")
            picture.pict_type = PictureType.NONE  # each came as a keyframe; the encoder decides
            target.mux(video.encode(picture))
        target.mux(video.encode())
        for sound in tone.decode(audio=0):
            target.mux(audio.encode(sound))
        target.mux(audio.encode())


def _repeat(part: Path, path: Path) -> None:
    """The minute ten times over, without encoding it again."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as target:
        with av.open(str(part)) as first:
            outs = [target.add_stream_from_template(stream) for stream in first.streams]
        latest = [-(2**62)] * len(outs)
        for turn in range(DURATION_S // PART_S):
            with av.open(str(part)) as source:
                for packet in source.demux():
                    if packet.dts is None or packet.pts is None or packet.time_base is None:
                        continue
                    shift = int(Fraction(turn * PART_S) / packet.time_base)
                    if packet.dts + shift <= latest[packet.stream.index]:
                        continue  # the sound of one turn ends a little after the picture's
                    latest[packet.stream.index] = packet.dts + shift
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = outs[packet.stream.index]
                    target.mux(packet)
