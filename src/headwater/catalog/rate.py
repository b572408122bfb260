"""How much may come or go now: tokens that refill with time, up to a burst."""

__all__ = ["Allowance"]


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
