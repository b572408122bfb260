"""The virtual clock: what is to happen when, and in which order when at the same moment."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

__all__ = ["Clock"]

SLOTS_PER_S = 1000
"""Only what is to happen within the same slot is kept in order: one heap of all that a hundred
thousand timers wait for costs a fifth of the time, for each step in it is far away in memory."""

_Event = tuple[float, int, Callable[..., object], tuple[Any, ...]]


class Clock:
    """Seconds since the simulation began. Two events of one moment happen in the order in which
    they were set, so a run depends on nothing but its seed."""

    __slots__ = ("_later", "_order", "_slot", "_slots", "_soon", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._order = 0
        self._soon: list[_Event] = []
        """A heap: what is to happen up to the end of `_slot`."""
        self._slot = 0
        self._later: dict[int, list[_Event]] = {}
        """The rest, by slot, unordered..."""
        self._slots: list[int] = []
        """...and a heap of these slots."""

    def at(self, when: float, act: Callable[..., object], *given: Any) -> None:
        """Call `act(*given)` then; a moment that has passed is now."""
        self._order += 1
        event = (when, self._order, act, given)
        slot = int(when * SLOTS_PER_S)
        if slot <= self._slot:
            heappush(self._soon, event)
        elif slot in self._later:
            self._later[slot].append(event)
        else:
            self._later[slot] = [event]
            heappush(self._slots, slot)

    def run(self, until: float) -> None:
        """Everything up to and including that moment; it is `now` afterwards."""
        while True:
            soon = self._soon
            while soon and soon[0][0] <= until:
                when, _, act, given = heappop(soon)
                if when > self.now:
                    self.now = when
                act(*given)
            if soon or not self._slots or self._slots[0] > int(until * SLOTS_PER_S):
                break
            self._slot = heappop(self._slots)
            self._soon = self._later.pop(self._slot)
            heapify(self._soon)
        self.now = max(self.now, until)
