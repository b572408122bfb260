"""How much is on its way to all who asked, and how much more the line takes. Pure."""

from collections import deque
from dataclasses import dataclass

from headwater.wire.ids import NodeId

__all__ = ["Line"]

LEAST_BYTES = 256 * 1024
"""May be on its way whatever is known of the line."""
AHEAD_S = 0.4
"""So much of what came through lately may be on its way: more would only wait in front of the
line."""
MEASURED_S = 1.0
SLOW_S = 1.0
"""What is on its way for longer waits for an asker that is slow itself, and takes no room."""


@dataclass(slots=True, eq=False)
class _Answer:
    asker: NodeId
    size_bytes: int
    left_s: float


class Line:
    """Units: bytes, seconds by the caller's clock."""

    def __init__(self) -> None:
        self._under_way: dict[_Answer, None] = {}  # who left first comes first
        self._came: deque[_Answer] = deque()
        """`left_s`: when it came."""
        self._came_bytes = 0

    def leave(self, asker: NodeId, size_bytes: int, now: float) -> _Answer:
        """An answer is being sent; give it back to come() or give_up()."""
        answer = _Answer(asker, size_bytes, now)
        self._under_way[answer] = None
        return answer

    def come(self, answer: _Answer, now: float) -> None:
        """The asker has it."""
        self.give_up(answer)
        self._came.append(_Answer(answer.asker, answer.size_bytes, now))
        self._came_bytes += answer.size_bytes
        self._forget(now)

    def give_up(self, answer: _Answer) -> None:
        """The asker does not want it any more."""
        self._under_way.pop(answer, None)

    def room_bytes(self, now: float) -> float:
        """How much more would be sent soon; 0 or less: what is on its way goes first."""
        self._forget(now)
        under_way = sum(answer.size_bytes for answer in self._young(now))
        return max(LEAST_BYTES, AHEAD_S * self._came_bytes / MEASURED_S) - under_way

    def askers(self, now: float) -> set[NodeId]:
        """Those to whom something is on its way."""
        return {answer.asker for answer in self._young(now)}

    def _young(self, now: float) -> list[_Answer]:
        return [answer for answer in self._under_way if now - answer.left_s < SLOW_S]

    def _forget(self, now: float) -> None:
        while self._came and now - self._came[0].left_s > MEASURED_S:
            self._came_bytes -= self._came.popleft().size_bytes
