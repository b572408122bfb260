"""Tracks of a segment that are taken as they are: packets of one stretch, renamed in time only."""

from collections.abc import Callable
from fractions import Fraction

from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from headwater.media.hls_boxes import Sample, Track
from headwater.media.stream_times import VIDEO_SCALE, AnyPacket, Span, ticks

__all__ = ["AudioCopy", "VideoCopy"]

_SNAP_S = Fraction(3, 2000)
"""Matroska rounds times to 1 ms: a sound frame this near its place in line belongs there."""


class VideoCopy:
    """From the keyframe that the segment begins with to just before the next segment's.

    `mark` gives the time by which the container's index knows a packet.
    """

    def __init__(
        self, stream: VideoStream, span: Span, mark: Callable[[AnyPacket], int | None]
    ) -> None:
        self._base, self._span, self._mark = stream.time_base or Fraction(1, 1000), span, mark
        self._samples: list[Sample] = []
        self._next: list[int] = []
        self.is_done = False
        self.is_late = False

    def feed(self, packet: AnyPacket) -> None:
        mark, pts = self._mark(packet), packet.pts
        if mark is None or pts is None or self.is_done:
            return
        at = ticks(pts * self._base - self._span.origin, VIDEO_SCALE)
        if self._next:  # only to learn when the next segment's first picture is shown
            self._next.append(at)
            self.is_done = at > self._next[0]
        elif (
            self._span.last_mark is not None and packet.is_keyframe and mark >= self._span.last_mark
        ):
            self._next.append(at)
        elif self._samples or (packet.is_keyframe and mark >= self._span.first_mark):
            self._samples.append(Sample(at, bytes(packet), packet.is_keyframe))

    def track(self, number: int) -> Track:
        end = (
            min(self._next)
            if self._next
            else ticks(self._span.end - self._span.origin, VIDEO_SCALE)
        )
        return Track(number, self._samples, end)


class AudioCopy:
    """The sound frames that begin within the segment."""

    def __init__(self, stream: AudioStream, span: Span) -> None:
        self._base, self._span = stream.time_base or Fraction(1, 1000), span
        self._rate = stream.codec_context.sample_rate
        self._frame = stream.codec_context.frame_size or 1024
        self._zero = (stream.start_time or 0) * self._base
        self._samples: list[Sample] = []
        self.is_done = False

    def feed(self, packet: AnyPacket) -> None:
        if packet.pts is None or self.is_done:
            return
        at = self._place(packet.pts * self._base)
        if at >= self._span.end and not self._span.is_last:
            self.is_done = True
        elif at >= self._span.start:
            self._samples.append(Sample(ticks(at - self._span.origin, self._rate), bytes(packet)))

    def _place(self, at: Fraction) -> Fraction:
        """In line with all other frames when it is near enough, else where it says."""
        number = round((at - self._zero) * self._rate / self._frame)
        in_line = self._zero + Fraction(number * self._frame, self._rate)
        return in_line if abs(in_line - at) <= _SNAP_S else at

    def track(self, number: int) -> Track:
        end = self._samples[-1].pts + self._frame if self._samples else 0
        return Track(number, self._samples, end)

    @property
    def is_late(self) -> bool:
        """Whether its beginning was missed: the file has it before the keyframe sought."""
        if not self._samples or self._span.is_first:
            return False
        first = Fraction(self._samples[0].pts, self._rate) + self._span.origin
        return first - self._span.start > Fraction(2 * self._frame, self._rate)
