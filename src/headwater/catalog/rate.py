"""How much may come or go now: tokens that refill with time, up to a burst."""

import threading

__all__ = ["Allowance", "Allowances"]


class Allowance:
    """`burst` at once, `per_s` in the long run, and what was granted on top."""

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._tokens, self._at, self._granted = burst, now, 0.0

    def take(self, count: float, now: float) -> bool:
        """Whether that many are allowed; nothing is taken when not."""
        self._refill(now)
        from_grants = min(count, self._granted)
        if count - from_grants > self._tokens:
            return False
        self._granted -= from_grants
        self._tokens -= count - from_grants
        return True

    def grant(self, count: float) -> None:
        """Allow that many more, whenever they come."""
        self._granted += count

    def is_full(self, now: float) -> bool:
        """Nothing was taken lately: it can be forgotten without loss."""
        self._refill(now)
        return self._tokens >= self._burst

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._per_s)
        self._at = max(now, self._at)


class Allowances:
    """An Allowance for each of many, made when first asked for. Shape: at most `most`; when there
    are more, those that are full again make room, and a newcomer waits. For any thread."""

    def __init__(self, per_s: float, burst: float, most: int) -> None:
        self._per_s, self._burst, self._most = per_s, burst, most
        self._lock = threading.Lock()
        self._each: dict[bytes, Allowance] = {}

    def __len__(self) -> int:
        return len(self._each)

    def take(self, whose: bytes, now: float) -> bool:
        """Whether one more is allowed."""
        with self._lock:
            if whose not in self._each:
                if len(self._each) >= self._most:
                    self._each = {w: a for w, a in self._each.items() if not a.is_full(now)}
                if len(self._each) >= self._most:
                    return False
                self._each[whose] = Allowance(self._per_s, self._burst, now)
            return self._each[whose].take(1, now)
