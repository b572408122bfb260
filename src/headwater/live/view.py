"""What one player reads of a live: parts in order, at the edge or somewhere before it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from headwater.live.part import Fragment, LivePart
from headwater.wire.ids import LiveId
from headwater.wire.items import LiveEntry
from headwater.wire.live import MAX_PART_BYTES

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

    async def next(self) -> LivePart | Fragment | Gap | Ended:
        """In order, each keyframe after its init, fragments whole. Waits for what is to come."""
        session = self._session
        while True:
            news = session.news
            is_open = self._start is None or await self._open(self._start)
            seq = self._next_seq() if is_open else None
            if seq is not None:
                step = await self._step(seq)
                if step is not None:
                    return step
            elif session.is_over:
                return Ended()
            else:
                await news.wait()

    async def close(self) -> None:
        self._closed(self)

    async def _open(self, start: Start) -> bool:
        """Whether there is something to start with."""
        session, edge = self._session, self._session.delivered.last
        if edge < 0:
            return False
        newest = session.shelf.ring.newest_key(edge)
        key = newest if start == "edge" else await self._key_of(start)
        if key is None or self._start is not start:
            return False
        self._is_shifted = start != "edge" and newest is not None and key < newest
        self._at, self._start, self._init, self._is_broken = key - 1, None, -1, False
        return True

    async def _key_of(self, start: int | float | str) -> int | None:
        """The keyframe of that number or time, if need be one that only others have."""
        session, shelf = self._session, self._session.shelf
        oldest = shelf.oldest_key()
        if isinstance(start, float):
            at_us = max(0, session.edge_us + round(start * 1e6))
            here, is_older = shelf.key_at(at_us), oldest is None or at_us < oldest[1]
        else:
            at_us, here = -1, shelf.next_key(int(start))
            is_older = oldest is None or int(start) < oldest[0]
        if not is_older or session.past is None or not session.entry.dvr_s:
            return here
        near = oldest or (session.delivered.last, session.edge_us)
        past = session.past
        found = await (past.key_at(at_us, near) if at_us >= 0 else past.key_of(int(start)))
        return found.seq if found else here

    def _next_seq(self) -> int | None:
        session = self._session
        seq = session.delivered.next_after(self._at)
        if seq is None:
            return None
        if self._is_shifted:  # others may have what was missed here
            return self._at + 1 if session.past is not None and not self._is_broken else seq
        newest = session.shelf.ring.newest_key(session.delivered.last)
        if newest is None or newest <= seq:
            return seq
        part = session.shelf.at_hand(seq)
        if part is None or session.edge_us - part.info.pts_us > self._lag_us:
            session.counters.players_skipped += 1
            return newest
        return seq

    async def _step(self, seq: int) -> LivePart | Fragment | Gap | None:
        """None: look again, further on."""
        session = self._session
        part = await session.find(seq, session.delivered.next_after(seq) or seq + 1)
        if part is None:  # given up meanwhile
            key = session.shelf.next_key(seq + 1)
            self._at, self._is_broken = seq if key is None else key - 1, True
            return None
        if self._is_broken or seq != self._at + 1:
            return self._over_gap(part)
        if part.info.is_init:
            self._init = seq
        elif part.info.init != self._init:
            return await self._init_first(part)
        if part.info.more:
            return await self._whole(part)
        self._at = seq
        return part

    async def _whole(self, first: LivePart) -> Fragment | None:
        """With what follows of it, as soon as that is here."""
        session, info = self._session, first.info
        end = info.seq + info.more
        while session.delivered.last < end and not session.is_over:
            await session.news.wait()
            if self._start is not None:
                return None
        pieces = [first]
        for more in reversed(range(info.more)):
            part = await session.find(end - more, end + 1)
            follows = part and (part.info.group, part.info.more) == (info.group, more)
            size = sum(piece.info.size_bytes for piece in pieces)
            if not part or not follows or size + part.info.size_bytes > MAX_PART_BYTES:
                self._at, self._is_broken = end - more, True
                return None
            pieces.append(part)
        self._at = end
        return Fragment(info, b"".join(piece.payload for piece in pieces))

    def _over_gap(self, part: LivePart) -> Gap | None:
        can_start = part.info.is_init or part.info.is_key
        self._at, self._is_broken = part.seq - can_start, not can_start
        return Gap(part.seq) if can_start else None

    async def _init_first(self, part: LivePart) -> LivePart | None:
        init = await self._session.find(part.info.init, part.info.init + 1)
        if init is None:  # nobody could play it
            self._at, self._is_broken = part.seq, True
            return None
        self._init = init.seq
        return init
