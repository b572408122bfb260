"""How long to wait before a node is dialled again. Pure: chance comes in as an argument."""

from collections.abc import Callable

__all__ = ["BACKOFF_MAX_S", "BACKOFF_MIN_S", "STEADY_S", "Backoff"]

BACKOFF_MIN_S = 0.2
BACKOFF_MAX_S = 30.0
STEADY_S = 5.0
"""A link that held this long was a good one: dialling starts from the shortest wait again."""


class Backoff:
    """0.2 s, doubling to 30 s; each wait is cut by up to a half at random, so that two nodes get
    out of step.

    `chance`: a number in [0, 1)."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._wait_s = BACKOFF_MIN_S

    def next_s(self) -> float:
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, BACKOFF_MAX_S)
        return wait_s * (1 - 0.5 * self._chance())

    def lived(self, seconds: float) -> None:
        """A link was up for so long."""
        if seconds >= STEADY_S:
            self.reset()

    def reset(self) -> None:
        self._wait_s = BACKOFF_MIN_S
