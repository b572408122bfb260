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
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from headwater.media.hls_boxes import Sample, Track, length_prefixed
from headwater.media.stream_times import VIDEO_SCALE, AnyPacket, Span, ticks

__all__ = ["AudioEncode", "VideoEncode", "set_up_audio", "set_up_video"]

AUDIO_FRAME = 1024
WARM_FRAMES = 3
AUDIO_BPS = 160_000
MAX_HEIGHT = 1080
SAMPLE_BYTES = 4
"""Two channels of 16 bits."""


def set_up_video(encoder: VideoCodecContext, stream: VideoStream) -> VideoCodecContext:
    """Make it encode this picture as H.264; whoever is set up so writes the same headers."""
    source = stream.codec_context
    scale = min(Fraction(1), Fraction(MAX_HEIGHT, max(1, min(source.width, source.height))))
    encoder.width = max(2, int(source.width * scale) // 2 * 2)
    encoder.height = max(2, int(source.height * scale) // 2 * 2)
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, VIDEO_SCALE)
    encoder.framerate = stream.average_rate or stream.guessed_rate or Fraction(25)
    if source.sample_aspect_ratio:
        encoder.sample_aspect_ratio = source.sample_aspect_ratio
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
    """The pictures that are shown within the segment."""

    def __init__(self, stream: VideoStream, span: Span) -> None:
        self._stream, self._span = stream, span
        self._encoder = set_up_video(av.CodecContext.create("libx264", "w"), stream)
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
        for frame in _decoded(self._stream, packet):
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
        fitting = frame.reformat(self._encoder.width, self._encoder.height, "yuv420p")
        fitting.pts, fitting.time_base = at, Fraction(1, VIDEO_SCALE)
        fitting.pict_type = 0  # what it was in the source is not the encoder's concern
        self._last = at
        self._keep(self._encoder.encode(fitting))

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
        for frame in _decoded(self._stream, packet):
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


def _decoded(stream: VideoStream | AudioStream, packet: AnyPacket) -> list[VideoFrame | AudioFrame]:
    """The frames of a packet; a damaged one has none, and the rest of the file still plays."""
    try:
        return list(stream.codec_context.decode(packet))
    except av.FFmpegError:
        return []
