"""Single pictures out of recordings: found by seeking, turned upright, scaled, written as JPEG."""

from collections.abc import Sequence
from fractions import Fraction

import av
from av.codec import CodecContext
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

__all__ = [
    "chain",
    "encode_jpeg",
    "filtered",
    "fitted",
    "frame_at",
    "length_s",
    "shown_size",
    "small",
    "upright_filters",
]

_MAX_PACKETS = 400
"""Read after a seek before giving up: a damaged stretch, or a very long way to a keyframe."""


def length_s(container: InputContainer) -> float:
    """0 where the recording does not tell."""
    return max(0.0, (container.duration or 0) / av.time_base)


def frame_at(container: InputContainer, video: VideoStream, at_s: float) -> VideoFrame | None:
    """The keyframe before `at_s` from the recording's begin, decoded alone; None without one."""
    begin = max(0, container.start_time or 0)
    try:
        container.seek(begin + int(at_s * av.time_base))
        for count, packet in enumerate(container.demux(video)):
            if packet.is_keyframe and packet.size:
                frames = [*packet.decode(), *video.codec_context.decode(None)]
                video.codec_context.flush_buffers()
                if frames:
                    return frames[0]
            if count == _MAX_PACKETS:
                break
    except (av.FFmpegError, EOFError):
        return None
    return None


def upright_filters(frame: VideoFrame) -> list[tuple[str, str]]:
    """What turns the picture as its recording asks, by quarters."""
    turns = {
        1: [("transpose", "cclock")],
        2: [("hflip", ""), ("vflip", "")],
        3: [("transpose", "clock")],
    }
    return turns.get(round(frame.rotation / 90) % 4, [])


def shown_size(video: VideoStream, frame: VideoFrame) -> tuple[int, int]:
    """Width and height as a viewer sees it: turned, and with the pixels made square."""
    width = max(1, round(frame.width * (video.sample_aspect_ratio or 1)))
    return (frame.height, width) if frame.rotation % 180 else (width, frame.height)


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """That size within a square, no larger than it was, with even sides."""
    scale = min(1.0, side / max(size))
    width, height = (max(2, 2 * round(length * scale / 2)) for length in size)
    return width, height


def chain(frame: VideoFrame, time_base: Fraction, filters: Sequence[tuple[str, str]]) -> Graph:
    """A graph of filters in a row, for pictures like this one."""
    graph = Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=time_base
        ),
        *(graph.add(name, args or None) for name, args in filters),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def filtered(frames: Sequence[VideoFrame], filters: Sequence[tuple[str, str]]) -> VideoFrame:
    """The first picture that comes out when all went in. Shape: frames of one size and format."""
    time_base = Fraction(1, 25)
    graph = chain(frames[0], time_base, filters)
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, time_base
        graph.vpush(frame)
    graph.vpush(None)
    return graph.vpull()


def small(frame: VideoFrame, size: tuple[int, int]) -> VideoFrame:
    """Upright, of that size, as JPEG wants it."""
    scale = ("scale", f"w={size[0]}:h={size[1]}:reset_sar=1")
    return filtered([frame], [*upright_filters(frame), scale, ("format", "yuvj420p")])


def encode_jpeg(frame: VideoFrame, quantizer: int) -> bytes:
    """Of a `small` one. `quantizer`: 2 is the best, 31 the smallest."""
    encoder = CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.qmin = encoder.qmax = quantizer
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
