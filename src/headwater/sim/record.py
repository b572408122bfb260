"""What is kept of a run: counts, distributions, and how it went second by second."""

from headwater.sim.tally import Bins, Tally

__all__ = ["Record"]


class Record:
    """Shared by all nodes of a simulation. `delay`: from made to complete at a node, of parts that
    were made after it had its first. `first`: from a node's start to its first part delivered.
    `seconds`: of each, parts in time and parts that should have been shown."""

    __slots__ = ("delay", "first", "gap", "seconds", "tally")

    def __init__(self) -> None:
        self.tally = Tally()
        self.delay = Bins(0.005, 2000)
        self.gap = Bins(0.01, 3000)
        self.first = Bins(0.01, 3000)
        self.seconds: dict[int, list[int]] = {}

    def window(self) -> None:
        """What came before was warming up."""
        self.tally.window()
        self.delay.clear()

    def shown(self, now: float, parts: int, in_time: int) -> None:
        second = self.seconds.setdefault(int(now), [0, 0])
        second[0] += in_time
        second[1] += parts
