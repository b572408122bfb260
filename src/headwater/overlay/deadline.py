"""Until when the player waits at a hole. Pure."""

import math

from headwater.overlay.limits import Limits

__all__ = ["Deadline"]


class Deadline:
    """A hole counts from when its first part was due; after a silence of the whole stream, whose
    publisher stood still, from the end of that: what all are late with is not lost."""

    __slots__ = ("_limits", "_newest", "_resumed_at", "_since", "_still_s", "newest_at")

    def __init__(self, limits: Limits, part_s: float, now: float) -> None:
        self._limits, self._still_s = limits, max(limits.still_s, 2 * part_s)
        self._newest, self._resumed_at = -1, -math.inf
        self.newest_at = now
        """When we last heard of a part newer than all before, or began to wait for the first."""
        self._since = math.inf

    def exists(self, newest: int, now: float) -> None:
        """Parts up to this one are here, or somebody's."""
        if newest <= self._newest:
            return
        if self._newest >= 0 and now - self.newest_at > self._still_s:
            self._resumed_at = now
        self._newest, self.newest_at = newest, now

    def ends_at(self, due_at: float, now: float) -> float:
        """Of the hole at hand, whose first part was due then, as far as is known."""
        if self._since == math.inf:
            self._since = min(max(now - self._limits.deadline_s, due_at), now)
        if self._since == -math.inf:
            return -math.inf
        return max(self._since, self._resumed_at) + self._limits.deadline_s

    def forget(self) -> None:
        """It is closed, or left behind: another one has a deadline of its own."""
        self._since = math.inf

    def pass_now(self) -> None:
        """This one is not waited at any more."""
        self._since = -math.inf
