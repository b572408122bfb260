"""The newest parts of a live, in memory: what children are fed from, and players. Pure."""

from bisect import bisect_left, insort

from headwater.live.part import LivePart

__all__ = ["MAX_BYTES", "MAX_S", "Ring"]

MAX_BYTES = 64 * 1024 * 1024
MAX_S = 30.0


class Ring:
    """Shape: at most `max_bytes` of frames spanning at most `max_s`, plus the newest part and the
    init that it needs, however large; the oldest go first."""

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_s: float = MAX_S) -> None:
        self._max_bytes, self._max_us = max_bytes, round(max_s * 1e6)
        self._parts: dict[int, LivePart] = {}
        self._seqs: list[int] = []
        self._keys: list[int] = []
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._seqs)

    @property
    def edge(self) -> int:
        """The newest part's seq; -1 while there is none."""
        return self._seqs[-1] if self._seqs else -1

    @property
    def oldest(self) -> int:
        """-1 while there is none."""
        return self._seqs[0] if self._seqs else -1

    def add(self, part: LivePart) -> bool:
        """False for one that is here, or that would be the first to go."""
        if part.seq in self._parts:
            return False
        self._parts[part.seq] = part
        insort(self._seqs, part.seq)
        if part.info.is_key:
            insort(self._keys, part.seq)
        self.held_bytes += len(part.frame)
        self._evict()
        return part.seq in self._parts

    def get(self, seq: int) -> LivePart | None:
        return self._parts.get(seq)

    def newest_key(self, up_to: int | None = None) -> int | None:
        """The newest keyframe at or before `up_to` (or of all): where a player can start."""
        at = len(self._keys) if up_to is None else bisect_left(self._keys, up_to + 1)
        return self._keys[at - 1] if at else None

    def next_key(self, since: int) -> int | None:
        """The first keyframe at or after that number."""
        at = bisect_left(self._keys, since)
        return self._keys[at] if at < len(self._keys) else None

    def key_at(self, pts_us: int) -> int | None:
        """The keyframe that is shown at that time or, if that is gone, the oldest one."""
        before = (k for k in reversed(self._keys) if self._parts[k].info.pts_us <= pts_us)
        return next(before, self._keys[0] if self._keys else None)

    def since(self, first: int) -> list[LivePart]:
        """All from that number on, in order."""
        return [self._parts[seq] for seq in self._seqs[bisect_left(self._seqs, first) :]]

    def _evict(self) -> None:
        newest = self._parts[self._seqs[-1]].info
        spared: list[int] = []
        while self._seqs and self._seqs[0] < newest.seq:
            oldest = self._parts[self._seqs[0]]
            is_late = newest.pts_us - oldest.info.pts_us > self._max_us
            if not is_late and self.held_bytes <= self._max_bytes:
                break
            del self._seqs[0]
            if oldest.seq == newest.init:
                spared.append(oldest.seq)
                continue
            del self._parts[oldest.seq]
            self.held_bytes -= len(oldest.frame)
            if self._keys and self._keys[0] == oldest.seq:
                del self._keys[0]
        self._seqs[:0] = spared
