"""In which order answers get what an upload limit lets through."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import islice

from headwater.transfer.limits import RateLimit
from headwater.wire.ids import NodeId

__all__ = ["Turns"]

HOLD_S = 1.0
"""So long after a piece was sent to one asker the others may have it from there."""
DEFER_S = 5.0
"""Nobody's turn is put off for longer: they may reach no other asker. Nor is a piece for longer one
asker's, who may ask for it again and again to keep the others from it."""
MAX_LOOKED_AT = 256
"""Of those who wait, the first: a turn costs no more, however many they are."""


@dataclass(slots=True, eq=False)
class _Waiting:
    asker: NodeId
    piece: Hashable
    size_bytes: int
    since_s: float
    granted: asyncio.Future[None]


@dataclass(slots=True)
class _Sent:
    """The first who was sent a piece, from when to when."""

    asker: NodeId
    began_s: float
    last_s: float

    def is_held(self, now: float) -> bool:
        return now - self.last_s < HOLD_S and now - self.began_s <= DEFER_S


class Turns:
    """Many who watch the same want the same next piece of a node whose uplink is thin. One of them
    is sent all of it, and before a second is, whatever nobody was sent yet: by then the second has
    it from the first, and asks no more. The uplink is never idle while anybody waits.

    Belongs to the event loop's thread."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit, self._clock = limit, clock
        self._waiting: dict[_Waiting, None] = {}  # who waits longest comes first
        self._sent: dict[Hashable, _Sent] = {}  # the last sent come last
        self._limits = 0
        """How often the limit was changed: what was booked before is void."""
        limit.on_change = self._book_anew

    async def turn(self, asker: NodeId, piece: Hashable, size_bytes: int) -> None:
        """Until so much of this piece may be sent to `asker`; who does not need it then says so
        with pass_on()."""
        granted = asyncio.get_running_loop().create_future()
        waiting = _Waiting(asker, piece, size_bytes, self._clock(), granted)
        self._waiting[waiting] = None
        self._book(size_bytes)
        try:
            await waiting.granted
        finally:
            self._waiting.pop(waiting, None)

    def pass_on(self) -> None:
        """It is somebody's turn."""
        now = self._clock()
        if (best := self._best(now)) is not None:
            del self._waiting[best]
            self._note(best, now)
            best.granted.set_result(None)

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

    def _best(self, now: float) -> _Waiting | None:
        """The first that nobody else can give it to; else the first of all."""
        first = None
        here = (each for each in self._waiting if not each.granted.done())  # withdrawn just now
        for waiting in islice(here, MAX_LOOKED_AT):
            if now - waiting.since_s > DEFER_S or not self._may_come_from(waiting, now):
                return waiting
            first = first or waiting
        return first

    def _may_come_from(self, waiting: _Waiting, now: float) -> bool:
        sent = self._sent.get(waiting.piece)
        return sent is not None and sent.asker != waiting.asker and sent.is_held(now)

    def _note(self, waiting: _Waiting, now: float) -> None:
        if not self._may_come_from(waiting, now):
            sent = self._sent.pop(waiting.piece, None)
            if sent is None or not sent.is_held(now):
                sent = _Sent(waiting.asker, now, now)
            sent.last_s = now
            self._sent[waiting.piece] = sent
        while self._sent:
            piece, sent = next(iter(self._sent.items()))
            if now - sent.last_s < HOLD_S:
                break
            del self._sent[piece]
