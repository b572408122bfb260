"""What one player reads of a live: parts in order, at the edge or somewhere before it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from headwater.live.part import LivePart
from headwater.wire.ids import LiveId
from headwater.wire.items import LiveEntry

if TYPE_CHECKING:
    from headwater.live.session import Session

__all__ = ["Ended", "Gap", "LiveView", "Start"]

Start = Literal["edge"] | int | float
"""At the newest keyframe; at a part's number; a float, not above 0: so many seconds before the
newest part. Always at a keyframe."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Parts are missing; it goes on at `next_seq`, a keyframe or its init."""

    next_seq: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes."""


class LiveView:
    """One reader. Not for several tasks at once."""

    def __init__(
        self, session: "Session", start: Start, lag_s: float, closed: Callable[["LiveView"], None]
    ) -> None:
        self._session, self._lag_us, self._closed = session, round(lag_s * 1e6), closed
        self._start: Start | None = start
        self._at = -1
        """The last part that was handed out, or passed by."""
        self._init = -1
        """Of the last part that was handed out."""
        self._is_broken = False
        """What comes next does not follow, and the reader was not told."""
        self._is_shifted = False

    @property
    def live(self) -> LiveId:
        return LiveId(self.entry.live)

    @property
    def entry(self) -> LiveEntry:
        return self._session.entry

    def window(self) -> tuple[int, int, int, int] | None:
        """Numbers of the oldest keyframe and the newest part here, then their `pts_us`."""
        return self._session.window()

    def init(self, seq: int) -> LivePart | None:
        """The init part of that number, where it is in memory."""
        return self._session.shelf.at_hand(seq)

    def seek(self, start: Start) -> None:
        """Go on there: "edge" is back to live."""
        self._start = start

    async def next(self) -> LivePart | Gap | Ended:
        """In order, each keyframe after its init. Waits for what is to come."""
        while True:
            news = self._session.news
            if self._start is not None and not self._open(self._start):
                if self._session.is_over:
                    return Ended()
                await news.wait()
                continue
            seq = self._next_seq()
            if seq is None:
                if self._session.is_over:
                    return Ended()
                await news.wait()
                continue
            part = await self._session.shelf.find(seq)
            step = self._step(seq, part)
            if step is not None:
                return step

    async def close(self) -> None:
        self._closed(self)

    def _open(self, start: Start) -> bool:
        """Whether there is something to start with."""
        session, edge = self._session, self._session.delivered.last
        if edge < 0:
            return False
        ring = session.shelf.ring
        newest = ring.newest_key(edge)
        if start == "edge":
            key = newest
        elif isinstance(start, float):
            key = session.shelf.key_at(max(0, session.edge_us + round(start * 1e6)))
        else:
            key = session.shelf.next_key(int(start))
        if key is None:
            return False
        self._is_shifted = start != "edge" and newest is not None and key < newest
        self._at, self._start, self._init, self._is_broken = key - 1, None, -1, False
        return True

    def _next_seq(self) -> int | None:
        session = self._session
        seq = session.delivered.next_after(self._at)
        if seq is None or self._is_shifted:
            return seq
        newest = session.shelf.ring.newest_key(session.delivered.last)
        if newest is None or newest <= seq:
            return seq
        part = session.shelf.at_hand(seq)
        if part is None or session.edge_us - part.info.pts_us > self._lag_us:
            session.counters.players_skipped += 1
            return newest
        return seq

    def _step(self, seq: int, part: LivePart | None) -> LivePart | Gap | None:
        """None: look again, further on."""
        if part is None:  # given up meanwhile
            key = self._session.shelf.next_key(seq + 1)
            self._at, self._is_broken = seq if key is None else key - 1, True
            return None
        if self._is_broken or seq != self._at + 1:
            return self._over_gap(part)
        if part.info.is_init:
            self._init = seq
        elif part.info.init != self._init:
            return self._init_first(part)
        self._at = seq
        return part

    def _over_gap(self, part: LivePart) -> Gap | None:
        can_start = part.info.is_init or part.info.is_key
        self._at, self._is_broken = part.seq - can_start, not can_start
        return Gap(part.seq) if can_start else None

    def _init_first(self, part: LivePart) -> LivePart | None:
        init = self._session.shelf.at_hand(part.info.init)
        if init is None:  # nobody could play it
            self._at, self._is_broken = part.seq, True
            return None
        self._init = init.seq
        return init
