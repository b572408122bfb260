"""When a part is due here, and how late a neighbour would have been with it. Pure.

No clock is compared. A part is due when its stripe's usual delay behind the media's own time line
has passed; a neighbour's lateness is when its announcement of a part arrived here minus when the
part itself did: what its feed would have been worth to us, transmission excepted."""

import math
from array import array

__all__ = ["Arrivals", "Cadence"]

MEMORY_PARTS = 128
"""Arrival times kept: announcements are at most a second or two old."""
WEIGHT = 0.25
FIRST_WEIGHT = 0.5
FIRST_SAMPLES = 4
RESYNC_S = 1.0
"""Off by more than that, the media's time line has jumped, not one part."""
FADE = 0.996
"""What is left of the tolerance after a part that was in time..."""
RISE, LEAST_RISE_S = 0.3, 0.01
"""...and how much of the rest is added when one was later: together about one part in fifty
comes later than it."""
MAX_JITTER_S = 0.6
"""However late parts have come, a hole is not waited for longer."""


class Cadence:
    """Per stripe the usual time from a part's place in the media to its arrival, and the lateness
    that hardly any part exceeds: keyframes take longer, and losses are repeated. Units: seconds."""

    __slots__ = ("_edge", "_edge_pts_s", "_lag", "_least_lag", "_part_s", "_samples", "jitter_s")

    def __init__(self, stripes: int, part_s: float) -> None:
        self._part_s = part_s
        self._lag = [0.0] * stripes
        self._samples = [0] * stripes
        self.jitter_s = [0.0] * stripes
        self._edge, self._edge_pts_s, self._least_lag = -1, 0.0, math.inf

    def arrived(self, seq: int, pts_s: float, now: float, *, is_timely: bool) -> None:
        """`is_timely`: pushed as the newest of its stripe, so that its time means something."""
        is_newest = seq > self._edge
        if is_newest:
            self._edge, self._edge_pts_s = seq, pts_s
            self._least_lag = min(self._least_lag, now - pts_s)
        if not is_timely:
            return
        stripe = seq % len(self._lag)
        off = now - pts_s - self._lag[stripe]
        if is_newest and self._samples[stripe] and not -RESYNC_S < off < RESYNC_S:
            self._lag = [lag + off for lag in self._lag]
        else:
            self._learn(stripe, off)

    def repeated(self, seq: int, now: float) -> None:
        """A part was pulled, and is pushed now: so late it would have been."""
        stripe = seq % len(self._lag)
        if self._edge >= 0:
            self._learn(stripe, now - self.pts_s(seq) - self._lag[stripe])

    def _learn(self, stripe: int, off: float) -> None:
        samples = self._samples[stripe]
        self._samples[stripe] = samples + 1
        if not samples:
            self._lag[stripe] += off
            return
        off = max(-RESYNC_S, min(off, RESYNC_S))
        self._lag[stripe] += (WEIGHT if samples >= FIRST_SAMPLES else FIRST_WEIGHT) * off
        jitter_s = FADE * self.jitter_s[stripe]
        if off > jitter_s:
            jitter_s += max(LEAST_RISE_S, RISE * (off - jitter_s))
        self.jitter_s[stripe] = min(MAX_JITTER_S, jitter_s)

    def relearn(self, stripe: int, later_s: float, jitter_s: float) -> None:
        """Another parent: its delay is another, so much more than before, and its jitter."""
        self._samples[stripe] = min(self._samples[stripe], 1)
        self._lag[stripe] += max(0.0, min(later_s, MAX_JITTER_S))
        self.jitter_s[stripe] = min(MAX_JITTER_S, jitter_s)

    def pts_s(self, seq: int) -> float:
        """The place of a part in the media, as far as that is known."""
        return self._edge_pts_s + (seq - max(self._edge, 0)) * self._part_s

    def lag_s(self, stripe: int) -> float | None:
        """The usual time from a part's place in the media to its arrival."""
        return self._lag[stripe] if self._samples[stripe] else None

    def expected(self, seq: int, otherwise: float) -> float:
        """When this part should be here; `otherwise` while nothing is known."""
        stripe = seq % len(self._lag)
        if self._edge < 0:
            return otherwise
        if self._samples[stripe]:
            lag = self._lag[stripe]
        else:
            known = [lag for lag, n in zip(self._lag, self._samples, strict=True) if n]
            lag = max(known, default=self._least_lag)
        return self._edge_pts_s + (seq - self._edge) * self._part_s + lag

    def due_by(self, now: float) -> int:
        """The newest part that should be here by now; -1 while nothing is known."""
        late_s = now - self.expected(self._edge, now)
        return self._edge + max(0, int(late_s / self._part_s))


class Arrivals:
    """When the last parts came. Shape: MEMORY_PARTS times."""

    __slots__ = ("_seqs", "_times")

    def __init__(self) -> None:
        self._times = array("d", bytes(8 * MEMORY_PARTS))
        self._seqs = array("q", [-1]) * MEMORY_PARTS

    def note(self, seq: int, now: float) -> None:
        self._times[seq % MEMORY_PARTS] = now
        self._seqs[seq % MEMORY_PARTS] = seq

    def when(self, seq: int) -> float | None:
        place = seq % MEMORY_PARTS
        return self._times[place] if self._seqs[place] == seq else None
