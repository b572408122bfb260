"""Sound of a live, encoded: AAC without holes, whatever the source does."""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from headwater.media.live_aac import Grid, open_encoder
from headwater.media.live_cutter import SOUND_SAMPLES
from headwater.media.live_init import AudioHeader
from headwater.media.live_item import Item, at_us
from headwater.media.live_track import Sound

__all__ = ["AacEncode"]

_RATES = (44_100, 48_000)
_CHANNELS = 2
_SAMPLE_BYTES = 4


class AacEncode:
    """Stereo, at the source's rate where that is usual."""

    def __init__(self, stream: AudioStream | None) -> None:
        rate = stream.codec_context.sample_rate if stream else _RATES[-1]
        self._rate = rate if rate in _RATES else _RATES[-1]
        self._stream = stream
        self._base = (stream.time_base if stream else None) or Fraction(1, self._rate)
        self._encoder = open_encoder(self._rate, _CHANNELS)
        self.header = AudioHeader(self._encoder.extradata or b"", self._rate, _CHANNELS)
        self._grid = Grid(self._rate)
        self._planes = [bytearray() for _ in range(_CHANNELS)]
        self._encoded = 0
        self._begin = 0
        self._resampler: AudioResampler | None = None
        self._resampler_for: tuple[object, ...] = ()

    def start(self, source_us: int, live_us: int) -> None:
        self._grid.start(source_us, live_us)
        self._begin = self._encoded = self._grid.take(0)

    def take(self, item: Item) -> Iterator[Sound]:
        for frame in self._decoded(item.piece):
            if frame.pts is None:
                continue
            base = frame.time_base or self._base  # a decoder's last frames do not tell it
            now_us = at_us(frame.pts, base)
            for plain in self._resampled(frame):
                self._place(plain, now_us)
                now_us += plain.samples * 1_000_000 // self._rate
        yield from self._encode()

    def fill(self, live_us: int) -> Iterator[Sound]:
        self._silence(self._grid.hole_before(live_us))
        yield from self._encode()

    def _decoded(self, piece: object) -> Iterator[AudioFrame]:
        if isinstance(piece, AudioFrame):
            yield piece
        elif self._stream is not None:
            decoder = self._stream.codec_context
            try:
                yield from decoder.decode(piece if isinstance(piece, av.Packet) else None)
            except (av.FFmpegError, EOFError):
                return  # damaged sound is silence
            if piece is None:
                decoder.flush_buffers()

    def _resampled(self, frame: AudioFrame) -> list[AudioFrame]:
        needs = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or self._resampler_for != needs:
            self._resampler = AudioResampler("fltp", "stereo", self._rate)
            self._resampler_for = needs
        frame.pts = None  # its place is found here, not there
        return self._resampler.resample(frame)

    def _place(self, frame: AudioFrame, now_us: int) -> None:
        hole = self._grid.hole(now_us)
        self._silence(hole)
        skipped = min(max(0, -hole), frame.samples)
        for held, plane in zip(self._planes, frame.planes, strict=True):
            held += bytes(plane)[skipped * _SAMPLE_BYTES : frame.samples * _SAMPLE_BYTES]
        self._grid.skip(frame.samples - skipped)

    def _silence(self, samples: int) -> None:
        if samples > 0:
            for held in self._planes:
                held += bytes(samples * _SAMPLE_BYTES)
            self._grid.skip(samples)

    def _encode(self) -> Iterator[Sound]:
        size = SOUND_SAMPLES * _SAMPLE_BYTES
        while len(self._planes[0]) >= size:
            frame = AudioFrame("fltp", "stereo", SOUND_SAMPLES)
            for held, plane in zip(self._planes, frame.planes, strict=True):
                plane.update(bytes(held[:size]) + bytes(plane.buffer_size - size))
                del held[:size]
            frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
            frame.pts = self._encoded
            self._encoded += SOUND_SAMPLES
            for packet in self._encoder.encode(frame):
                assert packet.pts is not None
                if packet.pts >= self._begin:  # the first only warms a decoder up
                    yield Sound(packet.pts, bytes(packet))
