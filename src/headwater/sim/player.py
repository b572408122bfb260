"""A player behind a node: when it shows what, when it stalls, what it never showed."""

__all__ = ["BUFFER_S", "Player"]

BUFFER_S = 0.5
SETTLE_S = 1.0
"""The delay is learnt for so long, then it plays `BUFFER_S` behind it."""
CATCH_UP = 0.05
"""It plays faster by this share while it is further behind than it needs to be."""
FELT_S = 0.02
"""Nobody sees a shorter stall."""


class Player:
    """`lag_s`: it shows a part so long after it was made. A part that comes later than that makes
    it stall, and it is further behind from then on, until it has caught up. Times are when parts
    were made, by the virtual clock."""

    __slots__ = (
        *("began_s", "came_s", "last_seq", "gap_s", "stalls", "stalled_s"),
        *("delivered", "skipped", "in_time", "_least_s", "_lag_s", "_base_s"),
    )

    def __init__(self) -> None:
        self.began_s = -1.0
        """When the first part came; negative before."""
        self.came_s = 0.0
        self.last_seq = -1
        self.gap_s = 0.0
        self.restart()
        self._least_s = float("inf")
        self._lag_s = self._base_s = 0.0

    def restart(self) -> None:
        """Count anew."""
        self.stalls = 0
        self.stalled_s = 0.0
        self.delivered = self.skipped = self.in_time = 0

    def deliver(self, seq: int, made_s: float, now: float) -> bool:
        """Whether it came in time to be shown when it should be."""
        delay_s = now - made_s
        self.last_seq = seq
        self.delivered += 1
        if self.began_s < 0.0:
            self.began_s = self.came_s = now
        gap_s = now - self.came_s
        if gap_s > self.gap_s:
            self.gap_s = gap_s
        self.came_s = now
        if now - self.began_s < SETTLE_S:
            self._least_s = min(self._least_s, delay_s)
            self._lag_s = self._base_s = self._least_s + BUFFER_S
            return True
        late_s = delay_s - self._lag_s
        if late_s > FELT_S:
            self.stalls += 1
            self.stalled_s += late_s
            self._lag_s = delay_s
            return False
        self._lag_s = max(self._base_s, self._lag_s - CATCH_UP * gap_s)
        self.in_time += 1
        return True

    def skip(self, parts: int) -> None:
        self.skipped += parts
