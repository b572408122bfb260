"""One stripe as it reaches us: its parent, and what is under way to find another. Pure."""

import math
from dataclasses import dataclass

from headwater.wire.ids import NodeId

__all__ = ["Feed"]


@dataclass(slots=True, eq=False)
class Feed:
    """Units: seconds by our clock; `inf` where a time is not set."""

    index: int
    parent: NodeId | None = None
    path: tuple[NodeId, ...] = ()
    """Ancestors, the parent first."""
    since: float = 0.0
    """When the parent accepted us."""
    pushed: int = -1
    """The newest part that the parent has pushed, or the one before the first we asked for."""
    words: int = 0
    """Parts that the parent has left out since it pushed one."""
    is_silent: bool = False
    """The parent's next part is overdue though it exists."""
    silent_at: float = 0.0
    has_flowed: bool = False
    """The parent has pushed something."""
    missed: range = range(0)
    """What was there before the parent accepted us, or was made while this node slept, in the
    order in which it comes: that tells nothing of the parent's usual delay."""
    leave_by: float = math.inf
    """The parent has told us to go elsewhere until then."""
    former: NodeId | None = None
    """The parent before: where a slot was left."""
    retiring: NodeId | None = None
    """The parent before, kept until the new one flows."""
    retire_at: float = math.inf
    asked: NodeId | None = None
    answer_by: float = math.inf
    asked_first: int = 0
    seek_at: float = 0.0
    """Not before, is another parent looked for."""
    walk_at: float = 0.0
    """Not before, is a full node asked."""
    hold_until: float = 0.0
    hold_since: float = 0.0
    hinted: tuple[NodeId, ...] = ()
    """Whom the last Redirect named."""
    climbing: int = 0
    """Steps down that a climb may still take to be one up in the end."""
    is_climb: bool = False
    """Who is asked now is asked for a place nearer to the source."""
    better: NodeId | None = None
    """Another parent would be better..."""
    better_since: float = 0.0
    """...since then."""

    def is_flowing(self) -> bool:
        return self.parent is not None and not self.is_silent

    def look_at(self) -> float:
        """When the answer is overdue, or, with nobody asked, another parent may be looked for."""
        return self.seek_at if self.asked is None else self.answer_by

    def makes_up(self, seq: int, now: float, within_s: float) -> bool:
        """Whether the parent is still making up for this part: for a while, since what others
        claim to have is not to be believed for ever."""
        return seq in self.missed and now - self.since < within_s

    def lose_parent(self) -> None:
        self.parent, self.path = None, ()
        self.is_silent, self.leave_by = False, math.inf
        self.better = None
