"""Spreads items through the mesh: checked off the loop, added, and passed on at once to everybody
else.

Theory of operation. What is new is pushed to every neighbour but the one it came from; a push
that a neighbour or an author has no allowance for is left out, and anti-entropy (sync.py) brings
it a little later: pushing is for speed, syncing for completeness. Allowances on the receiving
side are larger than on the sending side, so that only a node that breaks the rule runs into them,
and loses its link.
"""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from headwater.catalog.catalogue import Catalogue
from headwater.catalog.ledger import Admission
from headwater.catalog.rate import Allowance
from headwater.catalog.sync import Rank, Sync, SyncResult, batches
from headwater.errors import LocalUsageError, RemoteProtocolError
from headwater.wire.ids import NodeId, short_id
from headwater.wire.items import Claim, Item, Signed, VideoEntry, claim_of, open_item
from headwater.wire.messages import Control, Digest, Items, Summary, Want

__all__ = ["Gossip", "GossipCounters", "Peer"]

log = logging.getLogger(__name__)

PUSH_PER_S, PUSH_BURST = 1000.0, 2048.0
"""Items pushed to one neighbour unasked: half of what its outbox holds, if each is a message."""
TAKE_PER_S, TAKE_BURST = 4000.0, 16384.0
"""Items taken from one neighbour unasked, before it is called hostile."""
AUTHOR_PER_S, AUTHOR_BURST = 100.0, 1024.0
"""Items of one author passed on at once."""
MAX_AUTHORS = 4096
REFUSE_PER_S, REFUSE_BURST = 200.0, 4096.0
"""Items beyond our bounds taken from one neighbour unasked: honest ones send none, or few when
bounds are reached."""
MAX_WAITING_BYTES = 9 * 1024 * 1024
"""Items of one neighbour that wait to be checked (a full window of the largest fits); the rest
anti-entropy brings later."""
MAX_BATCH = 128
"""Items checked and written in one go: about 20 ms, so that nobody waits long for the catalogue."""
CHECKERS = 2
TICK_S = 0.5


class Peer(Protocol):
    """A neighbour, as far as gossip goes."""

    @property
    def node(self) -> NodeId: ...

    @property
    def signed(self) -> Signed:
        """Its own record, from its hello."""

    def send(self, message: Control, /) -> None: ...


class Neighbourhood(Protocol):
    """Where a hostile neighbour is shown the door."""

    def ban(self, node: NodeId, reason: str, /) -> None: ...


@dataclass(slots=True)
class GossipCounters:
    """Since the start; units: items, unless the name says otherwise."""

    received: int = 0
    taken: int = 0
    refused: int = 0
    pushed: int = 0
    hostile_neighbours: int = 0


@dataclass(slots=True, eq=False)
class _Session:
    """All that belongs to one neighbour."""

    peer: Peer
    sync: Sync
    push: Allowance
    take: Allowance
    refusals: Allowance
    waiting: deque[Signed] = field(default_factory=deque)
    waiting_bytes: int = 0
    is_queued: bool = False

    def send(self, result: SyncResult) -> None:
        for message in result.send:
            self.peer.send(message)
        self.take.grant(result.granted)

    def next_batch(self) -> list[Signed]:
        batch = [self.waiting.popleft() for _ in range(min(MAX_BATCH, len(self.waiting)))]
        self.waiting_bytes -= sum(len(s.body) for s in batch)
        return batch


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a checker thread found out about a batch."""

    claims: list[Claim]
    admission: Admission
    refused: list[Claim]


class Gossip:
    """One for the node. All methods belong to the loop's thread; `run` must be running for items
    to be checked.

    A neighbour whose items are forged, malformed or too many is banned from the neighbourhood.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        neighbours: Neighbourhood,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue, self._neighbours, self._now = catalogue, neighbours, now
        self._sessions: dict[NodeId, _Session] = {}
        self._queue: asyncio.Queue[_Session] = asyncio.Queue()  # each session at most once
        self._authors: dict[NodeId, Allowance] = {}
        self._listeners: list[Callable[[list[Item]], None]] = []
        self.counters = GossipCounters()

    async def run(self) -> None:
        """Check what comes in and keep in step with the neighbours, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(CHECKERS):
                group.create_task(self._check(), name=f"gossip.check.{number}")
            group.create_task(self._tick(), name="gossip.tick")

    def on_change(self, listener: Callable[[list[Item]], None]) -> None:
        """Have it called with what is new in the catalogue, by whatever way it came."""
        self._listeners.append(listener)

    def publish(self, items: Sequence[Item]) -> None:
        """Add our own items and tell everybody.

        Raises: LocalUsageError when a video is one more than anybody would take from this node."""
        admission = self._catalogue.admit(items)
        self._spread(admission.taken, None)
        if admission.refused:
            log.warning("gossip.own_refused", extra={"items": len(admission.refused)})
        if any(isinstance(item.body, VideoEntry) for item in admission.refused):
            raise LocalUsageError(
                "it was not published: this node has published as many items as others would take,"
                " or its clock is more than a day slow; unshare something or set the clock"
            )

    def neighbour_up(self, peer: Peer) -> None:
        now = self._now()
        session = _Session(
            peer,
            Sync(self._catalogue),
            Allowance(PUSH_PER_S, PUSH_BURST, now),
            Allowance(TAKE_PER_S, TAKE_BURST, now),
            Allowance(REFUSE_PER_S, REFUSE_BURST, now),
        )
        self._sessions[peer.node] = session
        for message in batches(i.signed for i in self._catalogue.nodes() if i.author != peer.node):
            peer.send(message)
        session.send(SyncResult(session.sync.start(now)))
        self._enqueue(session, [peer.signed])

    def neighbour_down(self, peer: Peer) -> None:
        session = self._sessions.get(peer.node)
        if session is not None and session.peer is peer:
            del self._sessions[peer.node]

    def control(self, peer: Peer, message: Digest | Summary | Want | Items) -> None:
        """What a neighbour said. Raises: RemoteProtocolError when it broke a rule."""
        session = self._sessions.get(peer.node)
        if session is None or session.peer is not peer:
            return
        result = session.sync.receive(message, self._now())
        session.send(result)
        if result.items:
            self._enqueue(session, result.items)

    def _enqueue(self, session: _Session, items: Sequence[Signed]) -> None:
        now = self._now()
        self.counters.received += len(items)
        if not session.take.take(len(items), now):
            self.counters.hostile_neighbours += 1
            raise RemoteProtocolError(f"sends more than {TAKE_PER_S:.0f} items a second unasked")
        size = sum(len(s.body) for s in items)
        if session.waiting_bytes + size > MAX_WAITING_BYTES:
            session.sync.hurry(now)
            return
        session.waiting.extend(items)
        session.waiting_bytes += size
        self._schedule(session)

    def _schedule(self, session: _Session) -> None:
        if session.waiting and not session.is_queued:
            session.is_queued = True
            self._queue.put_nowait(session)

    async def _check(self) -> None:
        while True:
            session = await self._queue.get()
            if self._sessions.get(session.peer.node) is not session:
                continue  # gone meanwhile, and what it sent with it
            try:
                checked = await asyncio.to_thread(self._open, session.next_batch())
            except RemoteProtocolError as error:
                self._expel(session, str(error))
                continue
            except sqlite3.Error as error:  # disk full or failing: the next digest asks again
                log.warning("catalog.write_failed", extra={"reason": str(error)})
            else:
                self._settle(session, checked)
            session.is_queued = False
            self._schedule(session)

    def _open(self, batch: list[Signed]) -> _Checked:
        """In a thread. Signatures cost 0.1 ms each: only of what would be taken are they
        checked."""
        claims = [claim_of(signed) for signed in batch]
        verdicts = [self._catalogue.judge(claim) for claim in claims]
        news = [open_item(s) for s, v in zip(batch, verdicts, strict=True) if v == "news"]
        admission = self._catalogue.admit(news) if news else Admission()
        refused = [c for c, v in zip(claims, verdicts, strict=True) if v == "refused"]
        return _Checked(claims, admission, [*refused, *admission.refused])

    def _settle(self, session: _Session, checked: _Checked) -> None:
        now, taken = self._now(), checked.admission.taken
        self.counters.taken += len(taken)
        self.counters.refused += len(checked.refused)
        unasked = sum(not session.sync.is_asked(c.key) for c in checked.refused)
        if not session.refusals.take(unasked, now):
            self._expel(session, "goes on sending items that nobody takes")
        ranks = [Rank.of(c) for c in checked.refused]
        arrived = (c.key for c in checked.claims)
        session.send(session.sync.settle(arrived, ranks, len(taken), now))
        self._spread(taken, session)

    def _expel(self, session: _Session, reason: str) -> None:
        self.counters.hostile_neighbours += 1
        log.info("gossip.hostile", extra={"node": short_id(session.peer.node), "reason": reason})
        self.neighbour_down(session.peer)
        self._neighbours.ban(session.peer.node, reason)

    def _spread(self, items: list[Item], source: _Session | None) -> None:
        """To everybody else at once, as far as authors and neighbours have allowances."""
        if not items:
            return
        now = self._now()
        passed = [item for item in items if self._may_pass(item.author, now)]
        others = [s for s in self._sessions.values() if s is not source]
        messages = batches(item.signed for item in passed)
        for session in others:
            if passed and session.push.take(len(passed), now):
                self.counters.pushed += len(passed)
                session.send(SyncResult(messages))
                if len(passed) == len(items):
                    continue
            session.sync.hurry(now)
        for listener in self._listeners:
            listener(items)

    def _may_pass(self, author: NodeId, now: float) -> bool:
        if author not in self._authors and len(self._authors) >= MAX_AUTHORS:
            self._authors = {a: al for a, al in self._authors.items() if not al.is_full(now)}
            if len(self._authors) >= MAX_AUTHORS:
                return False
        allowance = self._authors.setdefault(author, Allowance(AUTHOR_PER_S, AUTHOR_BURST, now))
        return allowance.take(1, now)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = self._now()
            for session in list(self._sessions.values()):
                session.send(session.sync.handle_timer(now))
