"""A live that this node takes part in, and why."""

import asyncio
from dataclasses import dataclass, field

from headwater.live.broadcast import Broadcast
from headwater.live.session import Session
from headwater.live.spool import Spool
from headwater.live.view import LiveView
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.items import LiveEntry

__all__ = ["Participation"]

ENDED_S = 2.0
"""A live that has ended, and of which nothing came for so long, brings nothing more."""
SILENT_S = 10.0
"""The same for one whose entry is not renewed any more."""
SETTLE_AGAIN_S, MAX_SETTLE_AGAIN_S = 1.0, 300.0
"""Between attempts to make a recording, or a copy of it of what was kept; doubled each time."""


@dataclass(eq=False)
class Participation:
    session: Session
    channel: NodeId
    spool: Spool
    task: "asyncio.Task[None] | None" = None
    """Runs the session."""
    broadcast: Broadcast | None = None
    """Of one that is made here."""
    making: "asyncio.Task[None] | None" = None
    views: set[LiveView] = field(default_factory=set)
    has_poster: bool = False
    """Of one that is made here: there is one, or one was tried for."""
    is_kept: bool = False
    is_relayed: bool = False
    is_settled: bool = False
    """What becomes of what was recorded has been seen to."""
    is_settling: bool = False
    settle_wait_s: float = SETTLE_AGAIN_S
    """After which it is tried again, when it did not work..."""
    settle_at_s: float = float("-inf")
    """...and not before this."""
    is_given_up: bool = False
    """Nobody will say what the recording is; what was kept waits on disk."""
    idle_since_s: float | None = None
    """Since when nobody here wants it."""
    ended_s: float | None = None
    """Since when it is known that it has ended."""
    introduced_s: float = float("-inf")
    renewed_s: float = float("-inf")

    @property
    def entry(self) -> LiveEntry:
        return self.session.entry

    @property
    def live(self) -> LiveId:
        return self.session.live

    def settle_later(self, now: float) -> float:
        """It did not work: not again at once, but in so many seconds."""
        wait_s = self.settle_wait_s
        self.settle_at_s = now + wait_s
        self.settle_wait_s = min(MAX_SETTLE_AGAIN_S, 2 * wait_s)
        return wait_s

    @property
    def is_wanted(self) -> bool:
        """Somebody here has a use for it."""
        is_made = self.broadcast is not None and not self.is_settled
        waits = self.is_kept and not (self.is_settled or self.is_given_up)
        return bool(self.views) or is_made or waits or self.is_settling or self.is_relayed

    @property
    def is_watched(self) -> bool:
        """One more to count for whoever feeds us; at the source its players are counted."""
        return self.broadcast is None and (bool(self.views) or self.is_kept)

    def heard(self, entry: LiveEntry | None, now: float) -> None:
        """How its channel describes it now; None: not any more. Ends it when all has come."""
        session = self.session
        if entry is not None:
            session.entry = entry
        is_ended = entry is None or entry.state == "ended"
        if self.broadcast is not None or session.is_over or not is_ended:
            self.ended_s = None if not is_ended else self.ended_s
            return
        self.ended_s = now if self.ended_s is None else self.ended_s
        is_all_here = entry is not None and 0 < entry.parts <= session.delivered.last + 1
        silent_s = now - max(self.ended_s, session.newest_at_s)
        if is_all_here or silent_s > (SILENT_S if entry is None else ENDED_S):
            session.finish()

    def is_to_be_left(self, now: float, grace_s: float) -> bool:
        """Nobody here has wanted it for so long."""
        if self.is_wanted:
            self.idle_since_s = None
            return False
        if self.idle_since_s is None:
            self.idle_since_s = now
        return now - self.idle_since_s >= grace_s
