"""The links of a node: dialled, accepted, limited; `neighbour_claims.py` says which one stays."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import ParamSpec

from headwater.errors import Forbidden, LocalUsageError, NodeError, RemoteProtocolError, Unavailable
from headwater.link.port import Endpoint, Link, LinkClosed
from headwater.node import neighbour_hello as hellos
from headwater.node.config import LinkConfig
from headwater.node.neighbour import Departure, Handlers, Neighbour
from headwater.node.neighbour_claims import (
    BAN_S,
    BANNED,
    DUPLICATE,
    ELSEWHERE,
    NO_ROOM,
    Bans,
    Claims,
)
from headwater.node.neighbour_counters import NeighbourCounters
from headwater.node.neighbour_hello import Introduced
from headwater.node.neighbour_kept import Keeper
from headwater.wire.ids import NodeId, short_id
from headwater.wire.items import Signed
from headwater.wire.messages import Goodbye

__all__ = ["BAN_S", "Handlers", "Neighbour", "NeighbourCounters", "Neighbours"]

MAX_HANDSHAKES = 16
"""Incoming links that have not said hello yet."""
ARRIVAL_S = 1.0
"""How long a dial that lost against the other side's waits for that one."""

MAX_DIALLED = 32
"""Addresses that one dial tries: each new one begins it anew, and it must end."""

log = logging.getLogger(__name__)
P = ParamSpec("P")


_Outcome = Neighbour | NodeError


@dataclass(slots=True, eq=False)
class _Dial:
    """A dial under way."""

    addresses: tuple[str, ...]
    task: asyncio.Task[_Outcome] | None = None
    widened: asyncio.Event = field(default_factory=asyncio.Event)
    """There are more addresses: what was restarted elsewhere is not waited for where it was."""

    def widen(self, addresses: Sequence[str]) -> None:
        more = [each for each in addresses if each not in self.addresses]
        more = more[: max(0, MAX_DIALLED - len(self.addresses))]
        if more:
            self.addresses = (*more, *self.addresses)
            self.widened.set()


class Neighbours:
    """All of them. From the event loop's thread only."""

    def __init__(
        self,
        endpoint: Endpoint,
        config: LinkConfig,
        hello: Callable[[], Signed],
        handlers: Handlers,
        blocked: Container[NodeId] = frozenset(),
    ) -> None:
        """`blocked`: whom the owner does not want, as it is now and becomes."""
        self.counters = NeighbourCounters()
        self._endpoint, self._config, self._hello = endpoint, config, hello
        self._handlers = handlers
        self._neighbours: dict[NodeId, Neighbour] = {}
        self._claims = Claims(endpoint.node, config.max_peers)
        self._bans, self._blocked = Bans(), blocked
        self._dials: dict[NodeId, _Dial] = {}
        self._arrivals: dict[NodeId, asyncio.Event] = {}
        self._keeper = Keeper(self.dial)
        self._group: asyncio.TaskGroup | None = None

    def connected(self) -> dict[NodeId, Neighbour]:
        return dict(self._neighbours)

    def get(self, node: NodeId) -> Neighbour | None:
        return self._neighbours.get(node)

    def keep(self, node: NodeId, addresses: Sequence[str]) -> None:
        """Dial it now, and again with growing waits whenever it is gone."""
        if node != self._endpoint.node:
            self._keeper.keep(node, addresses)

    def forget(self, node: NodeId) -> None:
        """Dial it no more; a link that is up stays."""
        self._keeper.forget(node)

    def ban(self, node: NodeId, reason: str) -> None:
        """Close the link to it; it is neither dialled nor accepted for BAN_S."""
        log.warning("neighbours.banned", extra={"node": short_id(node), "why": reason})
        self.counters.bans += 1
        self._bans.add(node, monotonic())
        self.part(node, reason)

    def part(self, node: NodeId, reason: str) -> None:
        """End the link to it, however far that is."""
        link = self._claims.get(node)
        if link is not None:
            link.close(reason)

    def is_banned(self, node: NodeId) -> bool:
        """Blocked by the owner, or for BAN_S for what it did."""
        return node in self._blocked or self._bans.holds(node, monotonic())

    async def run(self) -> None:
        """Accept and dial until cancelled; then every link is closed."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._keeper.run(), name="neighbours.keeper")
                for i in range(MAX_HANDSHAKES):
                    self._group.create_task(self._accept(), name=f"neighbours.accept.{i}")
                try:
                    await asyncio.Event().wait()
                finally:
                    self._group = None  # while the links end, nobody is dialled
        finally:
            self._claims.close_all("the node stopped")

    # Out

    async def dial(self, node: NodeId, addresses: Sequence[str]) -> Neighbour:
        """The neighbour, now: the link that is there, the dial under way, which tries these
        `addresses` as well from now on, or a new one.

        Raises: Unavailable, WrongMesh, RemoteProtocolError; Forbidden when it is banned;
        LocalUsageError when it is this node itself."""
        known = self._neighbours.get(node)
        if known is not None:
            return known
        if node == self._endpoint.node:
            raise LocalUsageError("that address is this node's own")
        self._refuse_banned(node)
        if self._group is None:
            raise Unavailable("this node is not running")
        dial = self._dials.get(node)
        if dial is None:
            dial = self._dials[node] = _Dial(tuple(addresses))
            name = f"neighbours.dial.{short_id(node)}"
            dial.task = self._group.create_task(self._run_dial(node, dial), name=name)
        else:
            dial.widen(addresses)
        assert dial.task is not None
        outcome = await _outcome(dial.task)
        if isinstance(outcome, NodeError):
            raise outcome
        return outcome

    async def _run_dial(self, node: NodeId, dial: _Dial) -> _Outcome:
        try:
            return await self._reach(node, dial)
        except TimeoutError:
            failure: NodeError = Unavailable(f"node {short_id(node)} did not say hello")
        except NodeError as error:
            failure = error
        finally:
            del self._dials[node]
        self.counters.dials_failed += 1
        if isinstance(failure, RemoteProtocolError):
            self._punish(node, str(failure))
        return failure

    async def _reach(self, node: NodeId, dial: _Dial) -> Neighbour:
        if not self._claims.has_room_for(node):
            raise Unavailable(f"{NO_ROOM.reason}; raise max-peers for more")
        self.counters.dials += 1
        link = await self._connect(node, dial)
        try:
            self._refuse_banned(node)  # it may have come to that meanwhile
        except Forbidden:
            link.close(BANNED.reason)
            raise
        if not self._claims.dialled(link):
            return await self._arrival(node)
        own, secret = self._endpoint.node, self._config.mesh_secret
        try:
            introduced = await hellos.introduce(link, own, self._hello(), secret)
            if not self._is_placed(introduced):
                raise Forbidden(ELSEWHERE.reason)
            return self._settle(introduced)
        except (LinkClosed, hellos.Refused) as error:
            is_refused = isinstance(error, hellos.Refused) and error.goodbye == DUPLICATE
            if self._claims.holds(link) and not is_refused:
                raise
        finally:
            self._release_unless_settled(link)
        return await self._arrival(node)

    async def _connect(self, node: NodeId, dial: _Dial) -> Link:
        """At all of the addresses, those included that are heard of meanwhile."""
        while True:
            dial.widened.clear()
            async with asyncio.TaskGroup() as group:
                connecting = group.create_task(
                    _settled(self._endpoint.connect(node, dial.addresses))
                )
                widened = group.create_task(dial.widened.wait())
                await asyncio.wait((connecting, widened), return_when=asyncio.FIRST_COMPLETED)
                is_over = connecting.done()
                connecting.cancel()
                widened.cancel()
            if is_over:
                outcome = connecting.result()
                if isinstance(outcome, NodeError):
                    raise outcome
                return outcome

    async def _arrival(self, node: NodeId) -> Neighbour:
        """The link that the other side dialled, which is about to be up."""
        self.counters.duplicates += 1
        if node not in self._neighbours:
            arrival = self._arrivals.setdefault(node, asyncio.Event())
            try:
                async with asyncio.timeout(ARRIVAL_S):
                    await arrival.wait()
            except TimeoutError:
                self._arrivals.pop(node, None)
        found = self._neighbours.get(node)
        if found is None:
            raise Unavailable(f"node {short_id(node)} dialled us meanwhile and did not get through")
        return found

    def _refuse_banned(self, node: NodeId) -> None:
        if node in self._blocked:
            raise Forbidden(
                f"node {short_id(node)} is blocked: unblock it on the page Machines, "
                "or with `headwater peers --unblock`"
            )
        if self.is_banned(node):
            raise Forbidden(f"node {short_id(node)} misbehaved: it is let in again in a minute")

    # In

    async def _accept(self) -> None:
        while True:
            try:
                link = await self._endpoint.accept()
            except LinkClosed:
                return
            if self.is_banned(link.peer):
                self.counters.refused_banned += 1
                link.close(BANNED.reason)
                continue
            try:
                await self._greet(link)
            finally:
                self._release_unless_settled(link)

    async def _greet(self, link: Link) -> None:
        own, secret = self._endpoint.node, self._config.mesh_secret
        try:
            introduced = await hellos.listen(link, own, secret)
            no = self._objection(introduced)
            if no is not None:
                await hellos.farewell(link, introduced.stream, no)
                return
            await hellos.answer(introduced, own, self._hello(), secret)
            self._settle(introduced)
            self.counters.accepted += 1
        except hellos.WrongMesh:
            self.counters.refused_mesh += 1
        except RemoteProtocolError as error:
            self._punish(link.peer, str(error))
        except (LinkClosed, TimeoutError, hellos.Refused):
            self.counters.handshakes_failed += 1

    def _objection(self, introduced: Introduced) -> Goodbye | None:
        """Why a node that has shown who it is may not be a neighbour; None when it may."""
        link = introduced.link
        if self.is_banned(link.peer):
            self.counters.refused_banned += 1
            return BANNED
        if not self._is_placed(introduced):
            return ELSEWHERE
        no = self._claims.accepted(link, is_stale=self._is_stale(link.peer))
        self.counters.refused_full += no is NO_ROOM
        self.counters.duplicates += no is DUPLICATE
        return no

    def _is_placed(self, introduced: Introduced) -> bool:
        """Whether the topology, where there is one, has it beside this node."""
        return not self._config.only or introduced.record.name in self._config.only

    def _is_stale(self, node: NodeId) -> bool:
        neighbour = self._neighbours.get(node)
        quiet_s = self._config.silence_s / 2
        return neighbour is not None and neighbour.silent_for(monotonic()) > quiet_s

    # Both

    def _settle(self, introduced: Introduced) -> Neighbour:
        """It is a neighbour now. Raises: LinkClosed when its claim was lost meanwhile."""
        node = introduced.link.peer
        if not self._claims.holds(introduced.link) or self._group is None:
            raise LinkClosed("another link took its place")
        replaced = self._neighbours.get(node)
        if replaced is not None:
            self._down(replaced, "replaced by a newer link")
        neighbour = Neighbour(
            introduced,
            self._handlers,
            self.counters,
            silence_s=self._config.silence_s,
            now=monotonic(),
        )
        self._neighbours[node] = neighbour
        arrival = self._arrivals.pop(node, None)
        if arrival is not None:
            arrival.set()
        self._group.create_task(self._live(neighbour), name=f"neighbours.live.{short_id(node)}")
        self._tell(self._handlers.neighbour_up, neighbour)
        return neighbour

    def _release_unless_settled(self, link: Link) -> None:
        """However an introduction ended: without a neighbour there is no link left."""
        neighbour = self._neighbours.get(link.peer)
        if neighbour is None or neighbour.link is not link:
            self._claims.release(link)
            link.close("no hello")

    async def _live(self, neighbour: Neighbour) -> None:
        departure = Departure("the node stopped")
        try:
            departure = await neighbour.run()
        finally:
            self._claims.release(neighbour.link)
            self._down(neighbour, departure.reason)
        if departure.hostile:
            self._punish(neighbour.node, departure.reason)
        self._keeper.gone(neighbour.node, monotonic() - neighbour.since_s, retry=departure.retry)

    def _down(self, neighbour: Neighbour, reason: str) -> None:
        """Once for each neighbour, and before the next one of the same node comes up."""
        if self._neighbours.get(neighbour.node) is neighbour:
            del self._neighbours[neighbour.node]
            self._tell(self._handlers.neighbour_down, neighbour, reason)

    def _tell(self, handler: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            handler(*args, **kwargs)
        except Exception:  # a fault of ours with one neighbour must not end the links to all others
            log.exception("neighbours.handler_failed")

    def _punish(self, node: NodeId, reason: str) -> None:
        self.counters.hostile += 1
        self.ban(node, reason)


async def _settled(connecting: Awaitable[Link]) -> Link | NodeError:
    try:
        return await connecting
    except NodeError as error:
        return error


async def _outcome(task: asyncio.Task[_Outcome]) -> _Outcome:
    """What came of it. Raises: Unavailable when it was ended."""
    await asyncio.wait([task])  # not awaited itself: others may be waiting for it as well
    if task.cancelled():
        raise Unavailable("this node is stopping")
    return task.result()
