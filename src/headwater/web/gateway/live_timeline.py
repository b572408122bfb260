"""A live cut for HLS: its parts become partial segments, its groups segments. Pure.

Theory of operation. RFC 8216bis wants partial segments that are never longer than the part target
and, but for the last of a segment, never shorter than 85 % of it; and neither this nor the target
duration may ever change. Our parts are cut at frames: at a steady frame rate all have one length,
and each is a partial segment. Very short ones, those of 25 frames a second (which alternate between
two lengths) and those of a source whose frames come as they like are put together until they
satisfy the rule.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from headwater.wire.live import PartInfo

__all__ = ["Chunk", "Segment", "Targets", "Timeline"]

LEAST_PART_S = 0.1
MOST_PART_S = 1.0
LEAST_FILL = 0.85
LEAST_SEGMENT_S = 0.9
"""A source whose every picture is a keyframe still makes segments of about a second."""
TARGET_S = range(2, 13)
LISTED_S = 24.0
KEPT_S = 60.0
"""What has left the list may still be asked for, by a player that read it a moment ago."""


@dataclass(frozen=True, slots=True)
class Targets:
    """`part_s`: seconds, a whole number of milliseconds."""

    part_s: float
    segment_s: int

    @classmethod
    def of(cls, parts: Sequence[PartInfo]) -> "Targets":
        """For a live whose first parts (at least one) these are."""
        lengths = [part.duration_us for part in parts if part.duration_us]
        # the last part of a group is as short as it has to be
        whole = [a.duration_us for a, b in pairwise(parts) if a.duration_us and not b.is_key]
        part_s = _part_target_s(whole or lengths or [round(LEAST_PART_S * 1e6)])
        keys = [part.pts_us for part in parts if part.is_key]
        group_s = max((b - a for a, b in pairwise(keys)), default=0) / 1e6
        segment_s = min(max(math.ceil(group_s), TARGET_S.start), TARGET_S[-1])
        return cls(math.ceil(part_s * 1000 - 1e-6) / 1000, segment_s)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A partial segment: the parts `first` to `last`. Named by `first`, which is known before."""

    first: int
    last: int
    duration_s: float
    is_key: bool


@dataclass(slots=True)
class Segment:
    number: int
    """Of the media sequence."""
    init: int
    capture_us: int
    """When its first picture was taken, microseconds since 1970."""
    is_discontinuous: bool
    chunks: list[Chunk] = field(default_factory=list)
    is_complete: bool = False

    @property
    def first(self) -> int:
        return self.chunks[0].first

    @property
    def duration_s(self) -> float:
        return sum(chunk.duration_s for chunk in self.chunks)


class Timeline:
    """Shape: holds the segments of KEPT_S, the newest of which is growing."""

    def __init__(self, targets: Targets, *, number: int = 0) -> None:
        self.targets = targets
        self.kept: deque[Segment] = deque()
        self.is_ended = False
        self.is_independent = True
        """Every segment so far begins with a keyframe."""
        self._number = number
        self._discontinuities: dict[int, int] = {}
        self._pending: list[PartInfo] = []
        self._is_broken = False
        self._last = -1

    @property
    def next_number(self) -> int:
        """Of the segment after the newest."""
        return self._number

    @property
    def next_part(self) -> int:
        """What the next partial segment will be called, unless an init comes first."""
        return self._pending[0].seq if self._pending else self._last + 1

    def add(self, info: PartInfo) -> None:
        """The next part; what is no init, and after a gap a keyframe."""
        self._last = info.seq + info.more
        if info.is_init:
            return
        self._make_room_for(info)
        self._pending.append(info)
        if _length_s(self._pending) >= LEAST_FILL * self.targets.part_s - 1e-6:
            self._close_chunk()

    def gap(self) -> None:
        """What comes next does not follow."""
        self._close_segment()
        self._is_broken = True

    def end(self) -> None:
        self._close_segment()
        self.is_ended = True

    def listed(self) -> list[Segment]:
        """What the playlist shows, oldest first; the last one may still grow."""
        shown: list[Segment] = []
        total_s = 0.0
        for segment in reversed(self.kept):
            if total_s >= max(LISTED_S, 6 * self.targets.segment_s) and segment.is_complete:
                break
            shown.append(segment)
            total_s += segment.duration_s
        return shown[::-1]

    def discontinuities_before(self, segment: Segment) -> int:
        """How many there were before this one, itself not counted."""
        return self._discontinuities.get(segment.number, 0)

    def has(self, number: int, part: int | None) -> bool:
        """Whether that segment (or that partial segment of it, or what is newer) is listed."""
        if self.is_ended or not self.kept:
            return self.is_ended
        newest = self.kept[-1]
        if newest.number > number:
            return True
        if newest.number < number:
            return False
        return newest.is_complete if part is None else part < len(newest.chunks)

    def _make_room_for(self, info: PartInfo) -> None:
        if self._pending and self._pending[0].init != info.init:
            self._close_segment()
        segment = self.kept[-1] if self.kept and not self.kept[-1].is_complete else None
        if segment is None:
            return
        waiting_s = _length_s(self._pending)
        length_s = segment.duration_s + waiting_s
        is_new = segment.init != info.init
        can_begin = info.is_key and length_s > LEAST_SEGMENT_S - 1e-6
        is_full = round(length_s + info.duration_us / 1e6 + 0.001) > self.targets.segment_s
        if is_new or can_begin or is_full:
            self._close_segment()

    def _close_chunk(self) -> None:
        if not self._pending:
            return
        first, last = self._pending[0], self._pending[-1]
        chunk = Chunk(first.seq, last.seq, _length_s(self._pending), first.is_key)
        self._pending = []
        if not self.kept or self.kept[-1].is_complete:
            self._begin_segment(first)
        self.kept[-1].chunks.append(chunk)

    def _close_segment(self) -> None:
        self._close_chunk()
        if self.kept:
            self.kept[-1].is_complete = True
        total_s = sum(segment.duration_s for segment in self.kept)
        while total_s > KEPT_S + 6 * self.targets.segment_s:
            gone = self.kept.popleft()
            total_s -= gone.duration_s
            self._discontinuities.pop(gone.number, None)

    def _begin_segment(self, first: PartInfo) -> None:
        before = self.kept[-1] if self.kept else None
        is_other = before is not None and (self._is_broken or before.init != first.init)
        count = 0
        if before is not None:
            count = self._discontinuities[before.number] + before.is_discontinuous
        self._discontinuities[self._number] = count
        self.is_independent &= first.is_key
        self.kept.append(Segment(self._number, first.init, first.capture_us, is_other))
        self._number += 1
        self._is_broken = False


def _part_target_s(lengths_us: Sequence[int]) -> float:
    """The shortest that as many parts as it takes, one after the other, all fill."""
    for count in range(1, len(lengths_us) // 2 + 1 or 2):
        starts = range(len(lengths_us) - count + 1)
        sums_us = [sum(lengths_us[at : at + count]) for at in starts]
        is_even = min(sums_us) >= LEAST_FILL * max(sums_us)
        if is_even and max(sums_us) >= 0.95e6 * LEAST_PART_S:
            return max(sums_us) / 1e6
    return min(max(lengths_us) / 1e6 / (1 - LEAST_FILL), MOST_PART_S)


def _length_s(parts: Iterable[PartInfo]) -> float:
    return sum(part.duration_us for part in parts) / 1e6
