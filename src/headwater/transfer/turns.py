"""In which order answers get what an upload limit, or the line, lets through."""

import asyncio
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from headwater.transfer.limits import RateLimit
from headwater.transfer.line import Line
from headwater.wire.ids import NodeId

__all__ = ["Rank", "Turns"]

HOLD_S = 1.0
"""So long after a piece was sent to one asker the others may have it from there."""
DEFER_S = 5.0
"""Nobody's turn is put off for longer: they may reach no other asker. Nor is a piece for longer one
asker's, who may ask for it again and again to keep the others from it."""
LOOK_S = 0.25
"""Between two looks whether somebody has waited for long enough, where nothing else tells."""
MAX_LOOKED_AT = 256
"""Of those who wait, the first: a turn costs no more, however many they are."""
MAX_SERVED = 256
"""Askers of whom is known when they had their last turn: who had one before that is a newcomer."""

Rank = tuple[int, int]
"""Of an answer, its kind and its number: of one asker's the least goes first."""


@dataclass(slots=True, eq=False)
class _Waiting:
    asker: NodeId
    pieces: Sequence[Hashable]
    size_bytes: int
    rank: Rank
    has_begun: bool
    since_s: float
    granted: asyncio.Future[None]


@dataclass(slots=True)
class _Sent:
    """The first who was sent a piece, from when to when."""

    asker: NodeId
    began_s: float
    last_s: float
    under_way: int = 0
    """Answers with some of it."""

    def is_held(self, now: float) -> bool:
        is_there = self.under_way > 0 or now - self.last_s < HOLD_S
        return is_there and now - self.began_s <= DEFER_S


class Turns:
    """Many who watch the same want the same next piece of a node whose uplink is thin. One of them
    is sent all of it, and before a second is, whatever nobody was sent yet: by then the second has
    it from the first, and asks no more. The uplink is never idle while anybody waits.

    With a limit askers get a turn each, as that lets them, for the most urgent of what they ask.
    Where that is on its way to another already, the turn is for the rest of it: a piece that all
    wait for is there after one time its length, and not after as many as there are askers.
    Without a limit, when there is room on the line (line.py). Belongs to the event loop's
    thread."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit, self._clock, self._line = limit, clock, Line()
        self._waiting: dict[_Waiting, None] = {}  # who waits longest comes first
        self._sent: dict[Hashable, _Sent] = {}  # the last sent come last
        self._served: dict[NodeId, None] = {}  # whose turn was last comes last
        self._limits = 0
        """How often the limit was changed: what was booked before is void."""
        self._looking: asyncio.TimerHandle | None = None
        limit.on_change = self._book_anew

    async def turn(
        self,
        asker: NodeId,
        pieces: Sequence[Hashable],
        size_bytes: int,
        rank: Rank,
        *,
        has_begun: bool = False,
    ) -> None:
        """Until so much of an answer with these pieces, at least one, may be sent to `asker`; who
        does not need it then says so with withdrawn(). `has_begun`: some of it was sent, which is
        worth nothing without the rest."""
        granted = asyncio.get_running_loop().create_future()
        waiting = _Waiting(asker, pieces, size_bytes, rank, has_begun, self._clock(), granted)
        self._waiting[waiting] = None
        if self._limit.bytes_per_s:
            self._book(size_bytes)
        else:
            self._let_go()
        try:
            await waiting.granted
        except asyncio.CancelledError:
            if not waiting.granted.cancelled():  # its turn had come just then
                self.withdrawn(asker, pieces)
            elif has_begun:
                self._release(asker, pieces)
            raise
        finally:
            self._waiting.pop(waiting, None)

    @contextmanager
    def sending(self, asker: NodeId, pieces: Sequence[Hashable], size_bytes: int) -> Iterator[None]:
        """While that is on its way to `asker`, whose turn it was, until they have it. Raises: what
        is raised inside, when they do not want it any more."""
        answer = self._line.leave(asker, size_bytes, self._clock())
        held = [s for s in map(self._sent.get, pieces) if s is not None and s.asker == asker]
        for sent in held:
            sent.under_way += 1
        try:
            yield
            now = self._clock()
            self._line.come(answer, now)
            for sent in held:
                sent.last_s = now
        finally:
            for sent in held:
                sent.under_way -= 1
            self._line.give_up(answer)
            self._let_go()

    def withdrawn(self, asker: NodeId, pieces: Sequence[Hashable]) -> None:
        """`asker`, whose turn it was, does not want it any more: the turn is somebody else's, and
        nobody waits to have these from there."""
        self._release(asker, pieces)
        if self._limit.bytes_per_s:
            self.pass_on()
        else:
            self._let_go()

    def _release(self, asker: NodeId, pieces: Sequence[Hashable]) -> None:
        for piece in pieces:
            sent = self._sent.get(piece)
            if sent is not None and sent.asker == asker:
                del self._sent[piece]

    def pass_on(self) -> None:
        """It is somebody's turn."""
        now = self._clock()
        if (best := self._best(now)) is None:
            return
        waiting, whose = best
        self._served.pop(whose, None)
        self._served[whose] = None
        if len(self._served) > MAX_SERVED:
            del self._served[next(iter(self._served))]
        self._grant(waiting, now)

    def _grant(self, waiting: _Waiting, now: float) -> None:
        del self._waiting[waiting]
        self._note(waiting, now)
        waiting.granted.set_result(None)

    def _let_go(self) -> None:
        """Where there is no limit: as many as the line takes, and one answer to each who has none
        under way, unless others can give it to them."""
        if self._limit.bytes_per_s:
            return
        now = self._clock()
        room, busy = self._line.room_bytes(now), self._line.askers(now)
        pending = self._pending()
        if len(busy.union(each.asker for each in pending)) < 2:
            room = math.inf  # nobody else to be kept waiting
        for waiting in sorted(pending, key=lambda each: self._may_wait(each, now)):
            may_wait = waiting.asker in busy or self._may_wait(waiting, now)
            if room > 0 or not may_wait:
                self._grant(waiting, now)
                room -= waiting.size_bytes
                busy.add(waiting.asker)
        if self._waiting and self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look_again)

    def _look_again(self) -> None:
        self._looking = None
        self._let_go()

    def _book(self, size_bytes: int) -> None:
        """A turn for whoever needs it most by then."""
        wait_s = self._limit.reserve(size_bytes, self._clock())
        asyncio.get_running_loop().call_later(wait_s, self._due, self._limits)

    def _due(self, limits: int) -> None:
        if limits == self._limits:
            self.pass_on()

    def _book_anew(self) -> None:
        self._limits += 1
        for waiting in self._waiting:
            self._book(waiting.size_bytes)

    def _best(self, now: float) -> tuple[_Waiting, NodeId] | None:
        """What goes next, and whose turn that is: of who had none for longest, what it waits for
        most; or where another is being sent that, the rest of it to that one, who passes it on."""
        places = {asker: place for place, asker in enumerate(self._served)}
        pending = sorted(self._pending(), key=lambda w: (places.get(w.asker, -1), w.rank))
        rests = {(w.asker, piece): w for w in reversed(pending) for piece in w.pieces}
        for waiting in pending:
            if not self._may_wait(waiting, now):
                return waiting, waiting.asker
            for piece in waiting.pieces:
                if (rest := rests.get((self._sent[piece].asker, piece))) is not None:
                    return rest, waiting.asker
        return (pending[0], pending[0].asker) if pending else None

    def _pending(self) -> list[_Waiting]:
        here = (each for each in self._waiting if not each.granted.done())  # withdrawn just now
        return list(islice(here, MAX_LOOKED_AT))

    def _may_wait(self, waiting: _Waiting, now: float) -> bool:
        if waiting.has_begun or now - waiting.since_s > DEFER_S:
            return False
        return self._may_come_from(waiting, now)

    def _may_come_from(self, waiting: _Waiting, now: float) -> bool:
        """All of it from others."""
        return all(self._is_held(piece, waiting.asker, now) for piece in waiting.pieces)

    def _is_held(self, piece: Hashable, asker: NodeId, now: float) -> bool:
        """By somebody else."""
        sent = self._sent.get(piece)
        return sent is not None and sent.asker != asker and sent.is_held(now)

    def _note(self, waiting: _Waiting, now: float) -> None:
        for piece in waiting.pieces:
            if not self._is_held(piece, waiting.asker, now):
                sent = self._sent.pop(piece, None)
                if sent is None or not sent.is_held(now):
                    sent = _Sent(waiting.asker, now, now)
                sent.last_s = now
                self._sent[piece] = sent
        while self._sent:
            piece, sent = next(iter(self._sent.items()))
            if sent.is_held(now):
                break
            del self._sent[piece]
