"""A recording as the source of a live: at its own pace, and again from its beginning if asked."""

import time
from collections.abc import Iterator
from dataclasses import replace

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from headwater.errors import MediaError
from headwater.media.live_copy import FAR_KEYFRAMES, MAX_GOP_US
from headwater.media.live_item import MICROS, Item, Tracks, at_us
from headwater.media.stream_cuts import rewind
from headwater.media.stream_times import AnyPacket
from headwater.media.tracks import main_audio, main_video

__all__ = ["FileSource", "Pace", "tracks_of"]

MAX_LATE_S, MAX_EARLY_S = 2.0, 2.0
"""Further off, it goes on from where it is: the machine slept, or the recording's clock jumps."""
LOOKED_AT = 500
"""Packets, before it begins: some keyframes are among them."""


def tracks_of(container: InputContainer) -> Tracks:
    """Raises: MediaError."""
    video, audio = main_video(container), main_audio(container)
    if video is None and audio is None:
        raise MediaError("it holds neither pictures nor sound")
    rate = video.average_rate if video else None
    frame_us = round(1_000_000 / min(max(float(rate), 1.0), 240.0)) if rate else 33_333
    return Tracks(video is not None, audio is not None, frame_us, video, audio)


class FileSource:
    def __init__(self, container: InputContainer, *, loop: bool, begin_us: int) -> None:
        self._container, self._loop = container, loop
        tracks = tracks_of(container)
        unfit = _unfit(container, tracks.video) if tracks.video is not None else ""
        self.tracks = replace(tracks, is_recording=True, unfit=unfit)
        self._length_us = max(0, container.duration or 0)
        self._skip_us = begin_us
        if self._length_us and loop:
            self._skip_us %= self._length_us

    def items(self) -> Iterator[Item]:
        lead = self.tracks.video or self.tracks.audio
        assert lead is not None
        first_us = at_us(lead.start_time or 0, lead.time_base or MICROS)
        if self._skip_us:
            self._container.seek(first_us + self._skip_us)
        shift_us, pace = -first_us, Pace()
        while True:
            end_us = shift_us + first_us
            for item in self._once(shift_us, pace):
                if item.piece is not None and item.is_video is self.tracks.has_video:
                    end_us = max(end_us, item.at_us + self.tracks.frame_us)
                yield item
            if not self._loop:
                break
            if end_us <= shift_us + first_us:
                raise MediaError("nothing in it can be read")
            rewind(self._container, lead)
            shift_us = end_us - first_us

    def _once(self, shift_us: int, pace: "Pace") -> Iterator[Item]:
        wanted = [s for s in (self.tracks.video, self.tracks.audio) if s is not None]
        video = self.tracks.video
        for packet in self._container.demux(wanted):
            is_video = packet.stream is video
            if not packet.size:
                yield Item(is_video, None, 0)
            elif (times := _shift(packet, shift_us)) is not None:
                was_due = pace.wait(times[0])
                yield Item(is_video, packet, times[1], was_due, times[0])


def _unfit(container: InputContainer, video: VideoStream) -> str:
    """What a look ahead shows: better to encode from the beginning than from some moment on."""
    last_us, frames = None, list[VideoFrame]()
    try:
        for count, packet in enumerate(container.demux(video)):
            if packet.pts is None or not packet.time_base or count > LOOKED_AT:
                break
            if not frames:
                frames = video.codec_context.decode(packet)
                if frames and round(frames[0].rotation) % 360:
                    return "its picture is to be turned"
            now_us = at_us(packet.pts, packet.time_base)
            if last_us is not None and now_us - last_us > MAX_GOP_US:
                return FAR_KEYFRAMES
            if packet.is_keyframe:
                last_us = now_us
    except av.FFmpegError:
        return ""  # it shows again when it is played
    finally:
        rewind(container, video)
    return ""


class Pace:
    """Makes a file's time pass like ours."""

    def __init__(self) -> None:
        self._zero: float | None = None

    def wait(self, at_us: int) -> bool:
        """Until it is due. Returns: whether there was anything to wait for."""
        now, at = time.monotonic(), at_us / 1_000_000
        if self._zero is None or not -MAX_EARLY_S < now - at - self._zero < MAX_LATE_S:
            self._zero = now - at
        wait_s = self._zero + at - now
        if wait_s > 0:
            time.sleep(wait_s)
        return wait_s >= 0


def _shift(packet: AnyPacket, shift_us: int) -> tuple[int, int] | None:
    """Move it in time. Returns: when it is decoded and when it is shown; None when it cannot be
    told."""
    base = packet.time_base
    pts = packet.pts if packet.pts is not None else packet.dts
    if pts is None or not base:
        return None
    dts = packet.dts if packet.dts is not None else pts
    shift = round(shift_us / 1_000_000 / base)
    packet.pts, packet.dts = pts + shift, dts + shift
    return at_us(dts + shift, base), at_us(pts + shift, base)
