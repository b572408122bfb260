"""Tracks of a live that are taken as they come, never encoded again."""

from collections.abc import Iterator

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from headwater.errors import MediaError
from headwater.media import live_h264 as h264
from headwater.media.live_aac import Grid, header_of, plain_frame, silent_frame
from headwater.media.live_cutter import SOUND_SAMPLES
from headwater.media.live_init import AudioHeader, VideoHeader
from headwater.media.live_item import Item
from headwater.media.live_track import NewEpoch, Picture, Sound
from headwater.media.stream_times import AnyPacket
from headwater.wire.live import MAX_PART_BYTES

__all__ = ["FAR_KEYFRAMES", "MAX_GOP_US", "AacCopy", "H264Copy", "is_fit_sound", "why_unfit"]

MAX_GOP_US = 2_600_000
"""From keyframe to keyframe: who joins waits half of it on average, and a loss shows as long."""
MAX_PICTURE_BYTES = MAX_PART_BYTES - 256 * 1024
"""A part must hold it, and the sound beside it."""
B_FRAMES = "the stream has B-frames, which cost delay"
FAR_KEYFRAMES = (
    "the stream's keyframes are more than 2.5 s apart: set a keyframe interval of 1 or 2 s in the"
    " encoder"
)
_SKIPPED_UNITS = {9, 12}
"""Delimiters and filler."""
_MAX_HELD_BYTES = 64 * 1024 * 1024


def why_unfit(stream: VideoStream, extradata: bytes) -> str:
    """Why the stream cannot be passed on, by what it says of itself; "" when it can, as far as is
    known: what it hides shows later (NewEpoch)."""
    context = stream.codec_context
    if context.name != "h264":
        return f"the stream is {context.name}, not H.264"
    if context.has_b_frames:
        return B_FRAMES
    try:
        _, sps, pps = h264.avcc_units(extradata)
        if not (sps and pps):
            return "the stream does not tell its format"
        return "" if h264.parse_sps(sps[0]).is_420_8bit else "browsers cannot show its colours"
    except MediaError as error:
        return str(error)


class H264Copy:
    """Raises NewEpoch at B-frames, keyframes too far apart, and another sequence header."""

    def __init__(self, extradata: bytes) -> None:
        self._length_bytes, self._sps, self._pps = h264.avcc_units(extradata)
        size = h264.parse_sps(self._sps[0])
        self.header = VideoHeader(h264.avcc(self._sps, self._pps), size.width, size.height)
        self._last_us: int | None = None
        self._key_us: int | None = None
        self._first_us: int | None = None
        self._is_broken = False
        self.since_key: list[AnyPacket] = []
        """What a decoder needs to be where this stream is."""
        self._held_bytes = 0

    @property
    def last_us(self) -> int:
        """When the last picture that came out is shown."""
        return -(2**62) if self._last_us is None else self._last_us

    def take(self, item: Item, *, is_behind: bool) -> Iterator[Picture]:
        packet = item.piece
        if not isinstance(packet, av.Packet):
            return
        try:
            units = h264.units_of(bytes(packet), self._length_bytes)
        except MediaError:
            units = []
        self._follow_headers(packet, units)
        is_key = h264.has_idr(units)
        if not units or packet.is_corrupt:
            self._is_broken = True  # what follows builds on it, until the next keyframe
            return
        self._check(item, is_key)
        if is_key:
            self._is_broken, self._key_us = False, item.at_us
            self.since_key, self._held_bytes = [], 0
        self.since_key.append(packet)
        self._held_bytes += packet.size
        if self._key_us is None or self._is_broken:
            return
        self._last_us = item.at_us
        kept = [unit for unit in units if unit[0] & 31 not in _SKIPPED_UNITS]
        yield Picture(item.at_us, h264.join_units(kept), is_key)

    def _check(self, item: Item, is_key: bool) -> None:
        if isinstance(item.piece, av.Packet) and item.piece.size > MAX_PICTURE_BYTES:
            raise NewEpoch("the stream's pictures are too large to pass on", must_encode=True)
        if self._last_us is not None and item.at_us < self._last_us and not is_key:
            raise NewEpoch(B_FRAMES, must_encode=True)
        if self._first_us is None:
            self._first_us = item.at_us
        since = item.at_us - (self._first_us if self._key_us is None else self._key_us)
        if (since > MAX_GOP_US and not is_key) or self._held_bytes > _MAX_HELD_BYTES:
            raise NewEpoch(FAR_KEYFRAMES, must_encode=True)

    def _follow_headers(self, packet: AnyPacket, units: list[bytes]) -> None:
        """Raises: NewEpoch when the sequence header is another one."""
        sps = [unit for unit in units if unit[0] & 31 == h264.SPS]
        pps = [unit for unit in units if unit[0] & 31 == h264.PPS]
        header = self._like_before(sps, pps) if sps and pps else b""
        if packet.has_sidedata("new_extradata"):
            header = bytes(packet.get_sidedata("new_extradata"))
            _, sps, pps = h264.avcc_units(header)
        if sps and sps != self._sps:
            raise NewEpoch("the encoder has changed the picture's size or format", header=header)

    def _like_before(self, sps: list[bytes], pps: list[bytes]) -> bytes:
        """Headers in the form in which this stream has its units."""
        if not self._length_bytes:
            return b"".join(b"\0\0\0\1" + unit for unit in (*sps, *pps))
        record = bytearray(h264.avcc(sps, pps))
        record[4] = 0xFC | self._length_bytes - 1
        return bytes(record)


def is_fit_sound(stream: AudioStream) -> bool:
    context = stream.codec_context
    is_plain = context.name == "aac" and context.profile in ("LC", None)
    return is_plain and context.channels in (1, 2) and context.sample_rate in (44_100, 48_000)


class AacCopy:
    """AAC-LC as it comes; silence where it has holes."""

    def __init__(self, stream: AudioStream) -> None:
        context = stream.codec_context
        self.header: AudioHeader = header_of(context.sample_rate, context.channels)
        self._grid = Grid(self.header.rate)
        self._silence: bytes | None = None

    def start(self, source_us: int, live_us: int) -> None:
        self._grid.start(source_us, live_us)

    def take(self, item: Item) -> Iterator[Sound]:
        if not isinstance(item.piece, av.Packet):
            return
        payload = plain_frame(bytes(item.piece))
        hole = self._grid.hole(item.at_us)
        if hole < 0 or not payload:
            return  # before the beginning, or filled up already
        yield from self._silent(hole // SOUND_SAMPLES)
        self._grid.skip(hole % SOUND_SAMPLES)
        yield Sound(self._grid.take(SOUND_SAMPLES), payload)

    def fill(self, live_us: int) -> Iterator[Sound]:
        yield from self._silent(self._grid.hole_before(live_us) // SOUND_SAMPLES)

    def _silent(self, frames: int) -> Iterator[Sound]:
        for _ in range(frames):
            if self._silence is None:
                self._silence = silent_frame(self.header)
            yield Sound(self._grid.take(SOUND_SAMPLES), self._silence)
