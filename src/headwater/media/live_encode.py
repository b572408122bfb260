"""Pictures of a live, encoded: as H.264 without delay, or each as a JPEG of its own."""

import os
from collections.abc import Iterator
from fractions import Fraction

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from headwater.media import live_h264 as h264
from headwater.media.live_init import VideoHeader
from headwater.media.live_item import MICROS, Item
from headwater.media.live_pictures import Pictures
from headwater.media.live_track import Picture

__all__ = ["H264Encode", "JpegEncode"]

_BITS_PER_PIXEL = 0.1
_BUFFER_S = 0.5
"""How much of the bitrate a keyframe may take at once."""
_SLOW_CORES = 4
"""From so many on there is time for the better preset."""
_JPEG_QUANTIZER = 5
_SKIPPED_UNITS = {6, 7, 8, 9, 12}
"""Comments, headers (they are in the init), delimiters, filler."""


class H264Encode:
    """A keyframe every `gop_us` of the source's time. `bitrate_bps`: 0 for the usual."""

    def __init__(self, pictures: Pictures, *, bitrate_bps: int, gop_us: int, frame_us: int) -> None:
        self._pictures, self._gop_us, self._frame_us = pictures, gop_us, frame_us
        self._bitrate_bps = bitrate_bps
        self._encoder: VideoCodecContext | None = None
        self._next_key_us = -(2**62)
        self.header = VideoHeader(b"", 0, 0)

    def take(self, item: Item, *, is_behind: bool) -> Iterator[Picture]:
        for frame in self._pictures.take(item, is_behind=is_behind):
            encoder = self._encoder or self._open()
            assert frame.pts is not None
            if frame.pts >= self._next_key_us - self._frame_us // 2:
                frame.pict_type = PictureType.I
                late_us = frame.pts - self._next_key_us
                is_late = late_us > self._gop_us
                self._next_key_us = self._gop_us + (frame.pts if is_late else self._next_key_us)
            for packet in encoder.encode(frame):
                assert packet.pts is not None
                units = h264.units_of(bytes(packet), 0)
                kept = [unit for unit in units if unit[0] & 31 not in _SKIPPED_UNITS]
                yield Picture(packet.pts, h264.join_units(kept), packet.is_keyframe)

    def _open(self) -> VideoCodecContext:
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height = width, height = self._pictures.size
        encoder.pix_fmt, encoder.time_base = "yuv420p", MICROS
        rate = Fraction(round(1_000_000 / self._frame_us))
        encoder.framerate = rate
        cores = os.cpu_count() or 1
        encoder.thread_count = min(4, cores)
        bitrate = self._bitrate_bps or int(width * height * rate * _BITS_PER_PIXEL)
        encoder.bit_rate = bitrate
        encoder.gop_size = 100_000  # keyframes are asked for by time
        encoder.options = {
            "preset": "veryfast" if cores >= _SLOW_CORES else "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "sc_threshold": "0",
            "maxrate": str(bitrate),
            "bufsize": str(int(bitrate * _BUFFER_S)),
        }
        encoder.flags |= Flags.global_header
        encoder.open()
        _, sps, pps = h264.avcc_units(encoder.extradata or b"")
        self.header = VideoHeader(h264.avcc(sps, pps), width, height)
        self._encoder = encoder
        return encoder


class JpegEncode:
    """Every picture depends on no other."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._encoder: VideoCodecContext | None = None
        self.header = VideoHeader(b"", 0, 0)

    def take(self, item: Item, *, is_behind: bool) -> Iterator[Picture]:
        for frame in self._pictures.take(item, is_behind=is_behind):
            encoder = self._encoder or self._open(frame)
            for packet in encoder.encode(frame):
                assert packet.pts is not None
                yield Picture(packet.pts, bytes(packet), is_key=True)

    def _open(self, frame: VideoFrame) -> VideoCodecContext:
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
        encoder.time_base = MICROS
        encoder.qmin = encoder.qmax = _JPEG_QUANTIZER
        self.header = VideoHeader(b"", frame.width, frame.height)
        self._encoder = encoder
        return encoder
