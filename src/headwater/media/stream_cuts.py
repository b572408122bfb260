"""Where one open recording is cut into segments, found without reading more than its index.

What browsers decode is cut at the keyframes that the index knows, so that it can be copied.
Everything else, and what has no index, is cut anywhere and encoded.
"""

from fractions import Fraction
from itertools import pairwise

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.index import IndexEntries
from av.video.stream import VideoStream

from headwater.errors import MediaError
from headwater.media import hls_plan
from headwater.media.probe import tracks_of
from headwater.media.recording import copies_video
from headwater.media.stream_times import AnyPacket, Span

__all__ = ["Cuts", "rewind"]

UNINDEXED = ("mpegts", "mpeg", "mpegvideo", "aac", "mp3")
"""Here a seek by time is a guess; the beginning is a place in the file."""


def rewind(container: InputContainer, lead: VideoStream | AudioStream) -> None:
    if container.format.name in UNINDEXED:
        container.seek(0, unsupported_byte_offset=True)
    else:
        container.seek(min(lead.start_time or 0, 0), stream=lead, backward=True)


class Cuts:
    """Raises: MediaError when there is nothing to cut. `duration_ms`: if the file does not tell."""

    def __init__(
        self, container: InputContainer, lead: VideoStream | AudioStream, duration_ms: int
    ) -> None:
        self._container, self._lead = container, lead
        self.base = lead.time_base or Fraction(1, 1000)
        self._by_decode_time = container.format.name.startswith("mov")
        self._marks: list[int] = []
        self.origin = self._first_time()
        self._times = self._cut(self._end_time(duration_ms))

    @property
    def at_keyframes(self) -> bool:
        return bool(self._marks)

    @property
    def durations_s(self) -> list[float]:
        return [float(b - a) for a, b in pairwise(self._times)]

    def span(self, number: int) -> Span:
        """Raises: MediaError when there is no such segment."""
        last = len(self._times) - 2
        if not 0 <= number <= last:
            raise MediaError(f"there is no segment {number}")
        marks = self._marks
        return Span(
            self._times[number],
            self._times[number + 1],
            self.origin,
            is_first=number == 0,
            is_last=number == last,
            first_mark=marks[number] if marks else 0,
            last_mark=marks[number + 1] if marks and number < last else None,
        )

    def mark(self, packet: AnyPacket) -> int | None:
        """The time by which the index knows this packet: MP4's is when it is decoded."""
        return packet.dts if self._by_decode_time else packet.pts

    def _first_time(self) -> Fraction:
        """When the first picture is shown (or the first sound heard): there the playlist begins."""
        rewind(self._container, self._lead)
        for packet in self._container.demux(self._lead):
            if packet.pts is not None:
                self._lag = packet.pts - (packet.dts if packet.dts is not None else packet.pts)
                return packet.pts * self.base
        raise MediaError("it holds no picture and no sound")

    def _end_time(self, duration_ms: int) -> Fraction:
        length = Fraction(self._container.duration or 0, av.time_base)
        length = length or Fraction(duration_ms, 1000)
        if length <= 0:
            raise MediaError("its length is not known")
        start = Fraction(self._container.start_time or 0, av.time_base)
        return max(start + length, self.origin + Fraction(1, 10))

    def _cut(self, end: Fraction) -> list[Fraction]:
        lead = self._lead
        if isinstance(lead, VideoStream) and copies_video(tracks_of(self._container)):
            times = {self._shown(mark): mark for mark in self._keyframes(lead.index_entries)}
            cuts = hls_plan.by_keyframes(sorted(times), end) if times else None
            if cuts is not None:
                self._marks = [times[cut] for cut in cuts[:-1]]
                return cuts
        return hls_plan.uniform(self.origin, end)

    def _keyframes(self, entries: IndexEntries) -> list[int]:
        """The index's times of keyframes; empty when it has no index that can be trusted."""
        if not self._by_decode_time and not self._container.format.name.startswith("matroska"):
            return []
        marks = sorted({e.timestamp for e in entries if e.is_keyframe and not e.is_discard})
        first = round(self.origin / self.base) - (self._lag if self._by_decode_time else 0)
        return marks if marks and marks[0] == first else []

    def _shown(self, mark: int) -> Fraction:
        return (mark + self._lag if self._by_decode_time else mark) * self.base
