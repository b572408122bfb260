"""One track decoded and encoded anew, as H.264 or as AAC."""

from fractions import Fraction
from typing import Any

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import OutputContainer
from av.filter import Graph
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from headwater.media.picture import chain, upright_filters

__all__ = ["AudioEncoding", "VideoEncoding"]

KEYFRAME_EVERY_S = 2
_X264 = {"preset": "veryfast", "crf": "21", "forced-idr": "1"}
_TICKS = Fraction(1, 90_000)
_KEYFRAME_TICKS = int(KEYFRAME_EVERY_S / _TICKS)
_RATES = (44_100, 48_000)
_AUDIO_BPS = 160_000


class VideoEncoding:
    """Pictures of one even size: upright, with square pixels, 4:2:0, not interlaced; a keyframe
    every KEYFRAME_EVERY_S, so that seeking is instant and HLS can cut there."""

    def __init__(
        self, source: VideoStream, out: OutputContainer, begin_s: Fraction, size: tuple[int, int]
    ) -> None:
        source.thread_type = "AUTO"
        rate = _rate(source)
        self._source, self._begin_s = source, begin_s
        target = out.add_stream("libx264", rate=rate, options=_X264)
        target.width, target.height = size[0] + size[0] % 2, size[1] + size[1] % 2
        target.pix_fmt, target.codec_context.time_base = "yuv420p", _TICKS
        target.codec_context.gop_size = 600  # keyframes are asked for by time, below
        self._target, self._step = target, round(1 / rate / _TICKS)
        self._last, self._next_keyframe = -self._step, 0
        self._graph: Graph | None = None
        self._graph_for: tuple[object, ...] = ()
        self._is_interlaced = False
        self.has_output = False

    def take(self, packet: "Packet[Any]") -> list["Packet[Any]"]:
        return [out for frame in packet.decode() for out in self._encode(frame)]

    def end(self) -> list["Packet[Any]"]:
        rest = [out for frame in self._source.decode(None) for out in self._encode(frame)]
        rest += self._from_graph(self._graph, is_last=True)
        return [*rest, *self._target.encode(None)] if self.has_output else rest

    def _encode(self, frame: VideoFrame) -> list["Packet[Any]"]:
        at = self._last + self._step  # where a recording tells no time
        if frame.pts is not None and frame.time_base is not None:
            at = round((frame.pts * frame.time_base - self._begin_s) / _TICKS)
        if at <= self._last:
            return []
        packets, graph = self._graph_of(frame)
        frame.pts, frame.time_base, self._last = at, _TICKS, at
        graph.vpush(frame)
        return [*packets, *self._from_graph(graph)]

    def _graph_of(self, frame: VideoFrame) -> tuple[list["Packet[Any]"], Graph]:
        """A new one when the pictures change amid the recording, and what was left in the old."""
        self._is_interlaced = self._is_interlaced or frame.interlaced_frame
        needs = (frame.width, frame.height, frame.format.name, self._is_interlaced)
        if self._graph is not None and self._graph_for == needs:
            return [], self._graph
        rest = self._from_graph(self._graph, is_last=True)
        even = [("bwdif", "mode=send_frame:deint=interlaced")] if self._is_interlaced else []
        size = f"w={self._target.width}:h={self._target.height}"
        last = [("scale", f"{size}:reset_sar=1"), ("format", "yuv420p")]
        self._graph = chain(frame, _TICKS, [*even, *upright_filters(frame), *last])
        self._graph_for = needs
        return rest, self._graph

    def _from_graph(self, graph: Graph | None, *, is_last: bool = False) -> list["Packet[Any]"]:
        packets: list[Packet[Any]] = []
        if graph is None:
            return packets
        if is_last:
            graph.vpush(None)
        while True:
            try:
                picture = graph.vpull()
            except (BlockingIOError, EOFError):
                return packets
            self.has_output = True
            assert picture.pts is not None and picture.time_base is not None
            picture.pts = round(picture.pts * picture.time_base / _TICKS)
            picture.time_base, picture.pict_type = _TICKS, PictureType.NONE
            if picture.pts >= self._next_keyframe:
                picture.pict_type = PictureType.I
                self._next_keyframe = (picture.pts // _KEYFRAME_TICKS + 1) * _KEYFRAME_TICKS
            packets += self._target.encode(picture)


class AudioEncoding:
    """Stereo, at the recording's rate where that is usual."""

    def __init__(self, source: Any, out: OutputContainer, begin_s: Fraction) -> None:
        rate = source.rate if source.rate in _RATES else _RATES[-1]
        self._source, self._begin_s = source, begin_s
        self._target = out.add_stream("aac", rate=rate, layout="stereo")
        self._target.codec_context.bit_rate = _AUDIO_BPS
        self._resampler: AudioResampler | None = None
        self._resampler_for: tuple[object, ...] = ()
        self._next: int | None = None
        self.has_output = False

    def take(self, packet: "Packet[Any]") -> list["Packet[Any]"]:
        frames: list[Any] = packet.decode()
        return [out for frame in frames for out in self._encode(frame)]

    def end(self) -> list["Packet[Any]"]:
        rest = [out for frame in self._source.decode(None) for out in self._encode(frame)]
        rest += self._from_resampler(None)
        return [*rest, *self._target.encode(None)] if self.has_output else rest

    def _encode(self, frame: AudioFrame) -> list["Packet[Any]"]:
        if frame.pts is None or frame.time_base is None:
            return []  # it cannot be told when it is heard
        if self._next is None:
            self._next = round((frame.pts * frame.time_base - self._begin_s) * self._target.rate)
        needs = (frame.format.name, frame.layout.name, frame.sample_rate)
        rest: list[Packet[Any]] = []
        if self._resampler is None or self._resampler_for != needs:
            rest = self._from_resampler(None)
            # Gaps are filled with silence, so that sound and picture stay together.
            self._resampler = AudioResampler(
                "fltp", "stereo", self._target.rate, options={"async": "1"}
            )
            self._resampler_for = needs
        return [*rest, *self._from_resampler(frame)]

    def _from_resampler(self, frame: AudioFrame | None) -> list["Packet[Any]"]:
        packets: list[Packet[Any]] = []
        for sound in self._resampler.resample(frame) if self._resampler else []:
            assert self._next is not None
            sound.pts, sound.time_base = self._next, Fraction(1, self._target.rate)
            self._next += sound.samples
            self.has_output = True
            packets += self._target.encode(sound)
        return packets


def _rate(source: VideoStream) -> Fraction:
    """Pictures a second, within reason: some recordings tell nonsense."""
    rate = source.average_rate or source.guessed_rate or Fraction(25)
    return min(max(rate, Fraction(1)), Fraction(240))
