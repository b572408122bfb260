"""Tracks of a segment that no browser would take: decoded, and encoded as H.264 and AAC.

Each segment is encoded on its own, so any of them can be asked for first. The picture begins with
an IDR frame. Sound frames lie on one grid of 1024 samples for the whole video, and the encoder is
given some before the first that is kept, so that neighbouring segments join without a click.
"""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from headwater.media.hls_boxes import Sample, Track, length_prefixed
from headwater.media.picture import chain, upright_filters
from headwater.media.stream_times import VIDEO_SCALE, AnyPacket, Span, ticks

__all__ = ["AudioEncode", "VideoEncode", "decoded", "set_up_audio", "set_up_video"]

AUDIO_FRAME = 1024
WARM_FRAMES = 3
AUDIO_BPS = 160_000
_TICK = Fraction(1, VIDEO_SCALE)
SAMPLE_BYTES = 4
"""Two channels of 16 bits."""


def set_up_video(
    encoder: VideoCodecContext, stream: VideoStream, size: tuple[int, int]
) -> VideoCodecContext:
    """Make it encode H.264; whoever is set up so for one stream writes the same headers."""
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, VIDEO_SCALE)
    encoder.framerate = stream.average_rate or stream.guessed_rate or Fraction(25)
    encoder.options = {"preset": "veryfast", "crf": "22", "bf": "0", "g": "9999"}
    encoder.flags |= Flags.global_header
    return encoder


def set_up_audio(encoder: AudioCodecContext, stream: AudioStream) -> AudioCodecContext:
    """Make it encode this sound as stereo AAC, at its own rate where AAC has it."""
    rate = stream.codec_context.sample_rate
    encoder.sample_rate = rate if rate in (32000, 44100, 48000) else 48000
    encoder.layout, encoder.format = "stereo", "fltp"
    encoder.time_base = Fraction(1, encoder.sample_rate)
    encoder.bit_rate = AUDIO_BPS
    encoder.flags |= Flags.global_header
    return encoder


class VideoEncode:
    """The pictures that are shown within the segment: upright, of one size, with square pixels."""

    def __init__(self, stream: VideoStream, span: Span, size: tuple[int, int]) -> None:
        self._stream, self._span = stream, span
        self._encoder = set_up_video(av.CodecContext.create("libx264", "w"), stream, size)
        self._fit = [("scale", f"w={size[0]}:h={size[1]}:reset_sar=1"), ("format", "yuv420p")]
        self._graph: Graph | None = None
        self._graph_for: tuple[object, ...] = ()
        self._samples: list[Sample] = []
        self._begins: Fraction | None = None
        self._last = -1
        self.is_done = False

    @property
    def is_late(self) -> bool:
        """Whether decoding began after the segment's first picture."""
        begins = self._span.end if self._begins is None else self._begins
        return begins > self._span.start and not self._span.is_first

    def feed(self, packet: AnyPacket) -> None:
        """An empty packet, the last of a file, brings out what the decoder still holds."""
        if self._begins is None and packet.is_keyframe and packet.pts is not None:
            self._begins = packet.pts * (packet.time_base or Fraction(1))
        if self.is_done or self._begins is None:
            return
        for frame in decoded(self._stream, packet):
            assert isinstance(frame, VideoFrame)
            if frame.pts is None or frame.time_base is None:
                continue
            at = frame.pts * frame.time_base
            if at >= self._span.end and not self._span.is_last:
                self.is_done = True
                return
            if at >= self._span.start:
                self._encode(frame, ticks(at - self._span.origin, VIDEO_SCALE))

    def _encode(self, frame: VideoFrame, at: int) -> None:
        if at <= self._last:
            return  # two pictures for one moment
        self._last = at
        fitting = self._fitting(frame)
        fitting.pts, fitting.time_base = at, _TICK
        fitting.pict_type = PictureType.NONE  # the source's is not the encoder's concern
        self._keep(self._encoder.encode(fitting))

    def _fitting(self, frame: VideoFrame) -> VideoFrame:
        """One in, one out: none of these filters waits for the next picture."""
        shape = (frame.width, frame.height, frame.format.name, frame.rotation)
        if self._graph is None or self._graph_for != shape:
            self._graph = chain(frame, _TICK, [*upright_filters(frame), *self._fit])
            self._graph_for = shape
        frame.pts, frame.time_base = self._last, _TICK
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _keep(self, packets: list[AnyPacket]) -> None:
        for packet in packets:
            assert packet.pts is not None
            payload = length_prefixed(bytes(packet))
            self._samples.append(Sample(packet.pts, payload, packet.is_keyframe))

    def track(self, number: int) -> Track:
        self._keep(self._encoder.encode(None))
        return Track(number, self._samples, ticks(self._span.end - self._span.origin, VIDEO_SCALE))


class AudioEncode:
    """The sound of the segment, silence where the file has none."""

    is_late = False
    """What is missing is silence."""

    def __init__(self, stream: AudioStream, span: Span) -> None:
        self._stream, self._span = stream, span
        self._encoder = set_up_audio(av.CodecContext.create("aac", "w"), stream)
        rate = self._rate = self._encoder.sample_rate
        frames = Fraction(rate, AUDIO_FRAME)
        self._first = -int(-(span.start - span.origin) * frames // 1)
        self._last = -int(-(span.end - span.origin) * frames // 1)
        self._from = (self._first - WARM_FRAMES) * AUDIO_FRAME
        self._until = (self._last + 2) * AUDIO_FRAME
        self._sound = bytearray((self._until - self._from) * SAMPLE_BYTES)
        self._resampler = AudioResampler("s16", "stereo", rate)
        self.is_done = False

    def feed(self, packet: AnyPacket) -> None:
        if self.is_done:
            return
        for frame in decoded(self._stream, packet):
            assert isinstance(frame, AudioFrame)
            if frame.pts is None or frame.time_base is None:
                continue
            at = ticks(frame.pts * frame.time_base - self._span.origin, self._rate)
            for plain in self._resampler.resample(frame):
                self._place(at, plain)
                at += plain.samples
            self.is_done = at >= self._until

    def _place(self, at: int, frame: AudioFrame) -> None:
        sound = bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES]
        start, end = max(at, self._from), min(at + frame.samples, self._until)
        if start < end:
            part = sound[(start - at) * SAMPLE_BYTES : (end - at) * SAMPLE_BYTES]
            begin = (start - self._from) * SAMPLE_BYTES
            self._sound[begin : begin + len(part)] = part

    def track(self, number: int) -> Track:
        kept = range(self._first * AUDIO_FRAME, self._last * AUDIO_FRAME)
        samples = [
            Sample(packet.pts, bytes(packet))
            for packet in self._packets()
            if packet.pts is not None and packet.pts in kept
        ]
        return Track(number, samples, kept.stop)

    def _packets(self) -> Iterator[AnyPacket]:
        size = AUDIO_FRAME * SAMPLE_BYTES
        for offset in range(0, len(self._sound), size):
            frame = AudioFrame("s16", "stereo", AUDIO_FRAME)
            frame.planes[0].update(bytes(self._sound[offset : offset + size]))
            frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
            frame.pts = self._from + offset // SAMPLE_BYTES
            yield from self._encoder.encode(frame)


def decoded(stream: VideoStream | AudioStream, packet: AnyPacket) -> list[VideoFrame | AudioFrame]:
    """The frames of a packet; a damaged one has none, and the rest of the file still plays."""
    try:
        return list(stream.codec_context.decode(packet))
    except av.FFmpegError:
        return []
