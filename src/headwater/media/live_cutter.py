"""Cuts a live into parts: fMP4 fragments of about the same length, at frame boundaries. Pure.

A part is handed over with its last picture, not one picture later: how long that one is shown is
guessed from those before it. Where the guess was wrong, the first picture of the next part is shown
from where the part before it ended, so decode times have no holes, in which players would stop.
Sound goes into the part in whose time it begins; what comes too late for it goes into the next.
"""

from collections import deque
from dataclasses import dataclass

from headwater.media.hls_boxes import Sample, Track, fragment
from headwater.media.live_init import AUDIO_TRACK, VIDEO_TRACK
from headwater.media.stream_times import VIDEO_SCALE

__all__ = ["SOUND_SAMPLES", "Cut", "Cutter", "OneByOne"]

SOUND_SAMPLES = 1024
"""In one AAC frame."""
MAX_EARLY_US = 1_000_000
"""Sound that is further ahead of the picture is let go: the picture has stopped."""
SPLIT_BYTES = 2 * 1024 * 1024
_MIN_FRAME, _MAX_FRAME = VIDEO_SCALE // 250, VIDEO_SCALE // 4
_USUAL_FRAME = VIDEO_SCALE // 30
_REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class Cut:
    """One part. Units: microseconds."""

    is_key: bool
    pts_us: int
    duration_us: int
    capture_us: int
    payload: bytes


def ticks(us: int, scale: int) -> int:
    return (us * scale + 500_000) // 1_000_000


def micros(at: int, scale: int) -> int:
    return (at * 1_000_000 + scale // 2) // scale


class Cutter:
    """For one epoch. `begin_us`: the live's time when it begins. `audio_rate`: 0 without sound.

    Shape: holds the part being made, and at most about MAX_EARLY_US of sound."""

    def __init__(
        self, *, begin_us: int, part_us: int, gop_us: int, has_video: bool, audio_rate: int
    ) -> None:
        self._scale = VIDEO_SCALE if has_video else audio_rate
        self._part, self._gop_us = ticks(part_us, self._scale), gop_us
        self._has_video, self._rate = has_video, audio_rate
        self._pictures: list[Sample] = []
        self._bytes = 0
        self._sounds: deque[tuple[Sample, int]] = deque()
        self._end = self._anchor = ticks(begin_us, self._scale)
        self._end_us = begin_us
        self._lengths: deque[int] = deque(maxlen=_REMEMBERED)
        self._last = -1
        self._capture_us = 0
        self._next_key_us = begin_us
        self._count = 0

    @property
    def end_us(self) -> int:
        """Where the next part begins."""
        return self._end_us

    def picture(
        self, at_us: int, payload: bytes, *, is_key: bool, capture_us: int, length_us: int = 0
    ) -> list[Cut]:
        """Shape: in order of `at_us`. `length_us`: of such a picture, until that is seen."""
        at = ticks(at_us, VIDEO_SCALE)
        if self._last >= 0:
            self._lengths.append(min(max(at - self._last, _MIN_FRAME), _MAX_FRAME))
        elif length_us:
            self._lengths.append(ticks(length_us, VIDEO_SCALE))
        self._last = at
        if self._pictures:
            at = max(at, self._pictures[-1].pts + 1)
        cuts = [self._cut(at)] if is_key and self._pictures else []
        if not self._pictures:
            at, self._capture_us = self._end, capture_us
        if is_key:
            self._anchor = at
        self._pictures.append(Sample(at, payload, is_key))
        self._bytes += len(payload)
        length = min(self._lengths, default=_USUAL_FRAME)
        if self._is_full(at + length, length) or self._bytes > SPLIT_BYTES:
            cuts.append(self._cut(at + length))
        return cuts

    def sound(self, at: int, payload: bytes, *, capture_us: int) -> list[Cut]:
        """One AAC frame at `at` (ticks of the sound). Shape: in order."""
        self._sounds.append((Sample(at, payload), capture_us))
        end = at + SOUND_SAMPLES
        if self._has_video:
            if micros(end, self._rate) - self._end_us > MAX_EARLY_US and not self._pictures:
                return [self._cut(self._end)]
            return []
        if self._is_full(end, SOUND_SAMPLES):
            return [self._cut(end)]
        return []

    def flush(self) -> list[Cut]:
        """What is left, when the epoch ends."""
        if self._pictures:
            length = min(self._lengths, default=_USUAL_FRAME)
            return [self._cut(self._pictures[-1].pts + length)]
        if self._sounds and not self._has_video:
            return [self._cut(self._sounds[-1][0].pts + SOUND_SAMPLES)]
        return []

    def _is_full(self, end: int, last: int) -> bool:
        """Whether a part that ends at `end` reaches the next mark, or comes nearest to it."""
        done = (self._end - self._anchor + last // 2) // self._part
        return (end - self._anchor + last // 2) // self._part > done

    def _cut(self, end: int) -> Cut:
        end_us = micros(end, self._scale)
        is_stalled = self._has_video and not self._pictures
        sounds: list[Sample] = []
        while self._sounds and (is_stalled or self._begins_us(self._sounds[0][0]) < end_us):
            sample, capture_us = self._sounds.popleft()
            if not self._pictures and not sounds:
                self._capture_us = capture_us
            sounds.append(sample)
        is_key = self._pictures[0].is_key if self._pictures else self._is_key_of_sound()
        tracks = [
            Track(VIDEO_TRACK, self._pictures, end),
            Track(AUDIO_TRACK, sounds, sounds[-1].pts + SOUND_SAMPLES if sounds else 0),
        ]
        payload = fragment(self._count, tracks)
        cut = Cut(is_key, self._end_us, end_us - self._end_us, self._capture_us, payload)
        self._count += 1
        self._pictures, self._bytes = [], 0
        self._end, self._end_us = end, end_us
        return cut

    def _begins_us(self, sample: Sample) -> int:
        return micros(sample.pts, self._rate)

    def _is_key_of_sound(self) -> bool:
        """Without pictures any part is one to start with; those are named that begin a group."""
        if self._has_video or self._end_us < self._next_key_us:
            return False
        self._next_key_us = self._end_us + self._gop_us
        return True


class OneByOne:
    """Each picture is a part of its own, as it is; there is no sound."""

    def __init__(self, begin_us: int) -> None:
        self.end_us = begin_us

    def picture(
        self, at_us: int, payload: bytes, *, is_key: bool, capture_us: int, length_us: int = 0
    ) -> list[Cut]:
        begin_us, self.end_us = self.end_us, max(self.end_us, at_us) + length_us
        return [Cut(is_key, begin_us, self.end_us - begin_us, capture_us, payload)]

    def sound(self, at: int, payload: bytes, *, capture_us: int) -> list[Cut]:
        return []

    def flush(self) -> list[Cut]:
        return []
