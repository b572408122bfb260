"""AAC frames, and their places in line."""

from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec.context import Flags

from headwater.media.live_init import AudioHeader

__all__ = ["Grid", "header_of", "open_encoder", "plain_frame", "silent_frame"]

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_LOW_COMPLEXITY = 2
_TOLERANCE_US = 30_000
"""A frame this near its place in line belongs there: encoders round times to a millisecond."""
MAX_HOLE_S = 10
_BPS = 128_000


def header_of(rate: int, channels: int) -> AudioHeader:
    asc = _LOW_COMPLEXITY << 11 | _RATES.index(rate) << 7 | channels << 3
    return AudioHeader(asc.to_bytes(2, "big"), rate, channels)


def plain_frame(payload: bytes) -> bytes:
    """Without the header that each frame has in a transport stream (ADTS)."""
    if len(payload) > 7 and payload[0] == 0xFF and payload[1] & 0xF6 == 0xF0:
        return payload[7 if payload[1] & 1 else 9 :]
    return payload


def open_encoder(rate: int, channels: int) -> AudioCodecContext:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.format = rate, "fltp"
    encoder.layout = "mono" if channels == 1 else "stereo"
    encoder.time_base = Fraction(1, rate)
    encoder.bit_rate = _BPS
    encoder.flags |= Flags.global_header
    encoder.open()
    return encoder


def silent_frame(header: AudioHeader) -> bytes:
    encoder = open_encoder(header.rate, header.channels)
    packets = []
    for number in range(4):
        frame = AudioFrame("fltp", encoder.layout.name, 1024)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.time_base = header.rate, Fraction(1, header.rate)
        frame.pts = number * 1024
        packets += encoder.encode(frame)
    return bytes(packets[-1])


class Grid:
    """Where the next sample goes. Units: samples of the live's time; nothing before the start."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._tolerance = rate * _TOLERANCE_US // 1_000_000
        self._source_us = self._live_us = self._next = 0
        self._is_first = True

    def start(self, source_us: int, live_us: int) -> None:
        self._source_us, self._live_us = source_us, live_us
        self._next = -(-live_us * self._rate // 1_000_000)

    def hole(self, source_us: int) -> int:
        """Samples between the last one and this; negative where they overlap, 0 when it is near
        enough to follow at once. The first is placed exactly."""
        at = (source_us - self._source_us + self._live_us) * self._rate // 1_000_000
        hole = at - self._next
        if abs(hole) <= self._tolerance and not self._is_first:
            return 0
        return min(hole, MAX_HOLE_S * self._rate)

    def hole_before(self, live_us: int) -> int:
        return min(live_us * self._rate // 1_000_000 - self._next, MAX_HOLE_S * self._rate)

    def take(self, samples: int) -> int:
        """The place of so many."""
        at = self._next
        self.skip(samples)
        return at

    def skip(self, samples: int) -> None:
        self._next += samples
        self._is_first = self._is_first and not samples
