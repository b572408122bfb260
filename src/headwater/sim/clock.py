"""The virtual clock: what is to happen when, and in which order when at the same moment."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

__all__ = ["Clock"]


class Clock:
    """Seconds since the simulation began. Two events of one moment happen in the order in which
    they were set, so a run depends on nothing but its seed."""

    __slots__ = ("_events", "_order", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._order = 0
        self._events: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []

    def at(self, when: float, act: Callable[..., object], *given: Any) -> None:
        """Call `act(*given)` then; a moment that has passed is now."""
        self._order += 1
        heappush(self._events, (when, self._order, act, given))

    def run(self, until: float) -> None:
        """Everything up to and including that moment; it is `now` afterwards."""
        events = self._events
        while events and events[0][0] <= until:
            when, _, act, given = heappop(events)
            if when > self.now:
                self.now = when
            act(*given)
        self.now = max(self.now, until)
