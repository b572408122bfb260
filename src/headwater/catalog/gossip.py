"""Spreads items through the mesh: checked off the loop, added, and passed on at once to everybody
else.

Theory of operation. What is new is pushed to every neighbour but the one it came from. A push
that a neighbour or an author has no allowance for is left out, and anti-entropy (sync.py) brings
it a little later: pushing is for speed, syncing for completeness. What comes unasked is taken
only as far as its author has an allowance; of an author who replaces one item a thousand times a
second the mesh sees the last one now and then. The allowances of a neighbour are larger on the
taking side than on the pushing side, so that only one that breaks the rule runs into them, and
loses its link.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from headwater.catalog.catalogue import Catalogue
from headwater.catalog.checking import Checked, check
from headwater.catalog.ranks import Rank, batches
from headwater.catalog.rate import Allowances
from headwater.catalog.session import Peer, Session
from headwater.catalog.sync import SyncResult
from headwater.errors import LocalUsageError, RemoteProtocolError, StorageFull
from headwater.wire.ids import ItemKey, NodeId, short_id
from headwater.wire.items import Claim, Item, NodeRecord, Signed, VideoEntry
from headwater.wire.messages import Digest, Items, Summary, Want

__all__ = ["Gossip", "GossipCounters", "Peer"]

log = logging.getLogger(__name__)

AUTHOR_PER_S, AUTHOR_BURST = 100.0, 1024.0
"""Items of one author taken unasked, or passed on at once."""
MAX_AUTHORS = 4096
CHECKERS = 2
TICK_S = 0.5
UNTOLD_S = 2.0
"""Between attempts to tell what a full disk has refused."""


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
        self._sessions: dict[NodeId, Session] = {}
        self._queue: asyncio.Queue[Session] = asyncio.Queue()  # each session at most once
        self._authors = Allowances(AUTHOR_PER_S, AUTHOR_BURST, MAX_AUTHORS)
        self._listeners: list[Callable[[list[Item]], None]] = []
        self._untold: dict[ItemKey, Item] = {}
        """Our own, refused by a full disk; of each the newest."""
        self._untold_at = 0.0
        """When it is tried again."""
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

        Raises: LocalUsageError when a video is one more than anybody would take from this node;
        StorageFull."""
        admission = self._catalogue.admit(items)
        self._spread(admission.taken, set(), None)
        if admission.refused:
            log.warning("gossip.own_refused", extra={"items": len(admission.refused)})
        if any(isinstance(item.body, VideoEntry) for item in admission.refused):
            raise LocalUsageError(
                "it was not published: this node has published as many items as others would take,"
                " or its clock is more than a day slow; unshare something or set the clock"
            )

    def tell(self, items: Sequence[Item]) -> None:
        """Publish it; what a full disk refuses, as soon as there is room. Raises: LocalUsageError,
        as publish()."""
        try:
            self.publish(items)
        except StorageFull as error:
            if not self._untold:
                log.warning("gossip.untold", extra={"reason": str(error)})
            self._untold |= {item.key: item for item in items}
            self._untold_at = self._now() + UNTOLD_S
        else:
            for item in items:
                self._untold.pop(item.key, None)

    # Neighbours.

    def neighbour_up(self, peer: Peer) -> None:
        now = self._now()
        session = Session(peer, self._catalogue, now)
        self._sessions[peer.node] = session
        known = (
            item.signed
            for item in self._catalogue.fleeting()
            if not (isinstance(item.body, NodeRecord) and item.author == peer.node)
        )
        session.send(SyncResult([*batches(known), *session.sync.start(now)]))
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

    # What comes in.

    def _enqueue(self, session: Session, items: Sequence[Signed]) -> None:
        self.counters.received += len(items)
        try:
            session.wait(items, self._now())
        except RemoteProtocolError:
            self.counters.hostile_neighbours += 1
            raise
        self._schedule(session)

    def _schedule(self, session: Session) -> None:
        if session.has_waiting and not session.is_queued:
            session.is_queued = True
            self._queue.put_nowait(session)

    async def _check(self) -> None:
        while True:
            session = await self._queue.get()
            if self._sessions.get(session.peer.node) is not session:
                continue  # gone meanwhile, and what it sent with it
            may_take = partial(self._may_take, session)
            try:
                batch = session.next_batch()
                checked = await asyncio.to_thread(check, self._catalogue, batch, may_take)
                self._settle(session, checked)
            except RemoteProtocolError as error:
                self._expel(session, str(error))
                continue
            except StorageFull as error:  # the next digest asks again
                log.warning("gossip.write_failed", extra={"reason": str(error)})
            session.is_queued = False
            self._schedule(session)

    def _may_take(self, session: Session, claim: Claim) -> bool:
        """In a checker's thread: what we asked for, and so many of an author unasked."""
        return session.sync.is_asked(claim.key) or self._authors.take(claim.author, self._now())

    def _settle(self, session: Session, checked: Checked) -> None:
        now, taken, sync = self._now(), checked.taken, session.sync
        self.counters.taken += len(taken)
        self.counters.refused += len(checked.refused)
        unasked = {c.key for c in checked.claims if not sync.is_asked(c.key)}
        arrived = [c.key for c in checked.claims]
        refused = [Rank.of(c) for c in checked.refused]
        session.send(sync.settle(arrived, refused, len(taken), now))
        if checked.has_late:
            sync.hurry(now)
        self._spread(taken, unasked, session)
        session.check_refusals(sum(c.key in unasked for c in checked.refused), now)

    def _expel(self, session: Session, reason: str) -> None:
        self.counters.hostile_neighbours += 1
        log.info("gossip.hostile", extra={"node": short_id(session.peer.node), "reason": reason})
        self.neighbour_down(session.peer)
        self._neighbours.ban(session.peer.node, reason)

    # What goes out.

    def _spread(self, items: list[Item], unasked: set[ItemKey], source: Session | None) -> None:
        """To everybody else at once. Those that came unasked have used their author's allowance."""
        if not items:
            return
        now = self._now()
        passed = [i for i in items if i.key in unasked or self._authors.take(i.author, now)]
        messages = batches(item.signed for item in passed)
        for session in self._sessions.values():
            if session is source:
                continue
            is_pushed = session.push(messages, len(passed), now)
            self.counters.pushed += len(passed) if is_pushed else 0
            if not is_pushed or len(passed) < len(items):
                session.sync.hurry(now)
        for listener in self._listeners:
            listener(items)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = self._now()
            for session in list(self._sessions.values()):
                session.send(session.sync.handle_timer(now))
            if self._untold and now >= self._untold_at:
                self._tell_untold()

    def _tell_untold(self) -> None:
        try:
            self.tell(list(self._untold.values()))
        except LocalUsageError as error:
            self._untold.clear()
            log.warning("gossip.own_refused", extra={"reason": str(error)})
