"""The links of a node: dialled, accepted, limited. One link for each pair of nodes.

Two nodes that dial each other at once must end with one link, not none. The node with the smaller
id decides: its own dial wins from the moment it is connected, and before that moment whatever the
other one dialled. The other node follows: what the smaller one completes replaces what it has. A
claim is a link that has got so far.

    dialling --connected-------> claimed --hello answered--> neighbour --any end--> gone
    accepted --hello checked---> claimed --hello sent------> neighbour --any end--> gone
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import ParamSpec

from headwater.errors import Forbidden, LocalUsageError, NodeError, RemoteProtocolError, Unavailable
from headwater.link.port import Endpoint, Link, LinkClosed
from headwater.node import neighbour_hello as hellos
from headwater.node.config import LinkConfig
from headwater.node.neighbour import Departure, Handlers, Neighbour
from headwater.node.neighbour_counters import NeighbourCounters
from headwater.node.neighbour_hello import Introduced
from headwater.node.neighbour_kept import Keeper
from headwater.wire.ids import NodeId, short_id
from headwater.wire.items import Signed
from headwater.wire.messages import Goodbye

__all__ = ["BAN_S", "Handlers", "Neighbour", "NeighbourCounters", "Neighbours"]

BAN_S = 60.0
MAX_BANS = 4096
MAX_HANDSHAKES = 16
"""Incoming links that have not said hello yet."""
ARRIVAL_S = 1.0
"""How long a dial that lost against the other side's waits for that one."""

_DUPLICATE = Goodbye("there is a link between us already")
_NO_ROOM = Goodbye("this node has all the links that it wants")
_BANNED = Goodbye("blocked", retry=False)

log = logging.getLogger(__name__)
P = ParamSpec("P")


class Neighbours:
    """All of them. From the event loop's thread only."""

    def __init__(
        self,
        endpoint: Endpoint,
        config: LinkConfig,
        hello: Callable[[], Signed],
        handlers: Handlers,
    ) -> None:
        self.counters = NeighbourCounters()
        self._endpoint, self._config, self._hello, self._handlers = (
            endpoint,
            config,
            hello,
            handlers,
        )
        self._neighbours: dict[NodeId, Neighbour] = {}
        self._claims: dict[NodeId, Link] = {}
        self._dials: dict[NodeId, asyncio.Task[Neighbour | NodeError]] = {}
        self._arrivals: dict[NodeId, asyncio.Event] = {}
        self._bans: dict[NodeId, float] = {}
        self._keeper = Keeper(self.dial)
        self._group: asyncio.TaskGroup | None = None

    def connected(self) -> dict[NodeId, Neighbour]:
        return dict(self._neighbours)

    def get(self, node: NodeId) -> Neighbour | None:
        return self._neighbours.get(node)

    def keep(self, node: NodeId, addresses: Sequence[str]) -> None:
        """Dial it now, and again with growing waits whenever it is gone; again with news of its
        addresses."""
        if node != self._endpoint.node:
            self._keeper.keep(node, addresses)

    def forget(self, node: NodeId) -> None:
        """Dial it no more; a link that is up stays."""
        self._keeper.forget(node)

    def ban(self, node: NodeId, reason: str) -> None:
        """Close the link to it; neither dialled nor accepted for BAN_S."""
        log.warning("neighbours.banned", extra={"node": short_id(node), "why": reason})
        self.counters.bans += 1
        self._bans.pop(node, None)
        if len(self._bans) >= MAX_BANS:
            del self._bans[next(iter(self._bans))]
        self._bans[node] = monotonic() + BAN_S
        claim = self._claims.get(node)
        if claim is not None:
            claim.close(reason)

    def is_banned(self, node: NodeId) -> bool:
        return monotonic() < self._bans.get(node, 0.0)

    async def run(self) -> None:
        """Accept and dial until cancelled; then every link is closed."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._keeper.run(), name="neighbours.keeper")
                for i in range(MAX_HANDSHAKES):
                    self._group.create_task(self._accept(), name=f"neighbours.accept.{i}")
        finally:
            self._group = None
            for link in list(self._claims.values()):
                link.close("the node stopped")

    # Out

    async def dial(self, node: NodeId, addresses: Sequence[str]) -> Neighbour:
        """The neighbour, now: the link that is there, the dial under way, or a new one.

        Raises: Unavailable, WrongMesh, RemoteProtocolError, Forbidden when it is banned."""
        known = self._neighbours.get(node)
        if known is not None:
            return known
        if node == self._endpoint.node:
            raise LocalUsageError("that address is this node's own")
        if self.is_banned(node):
            raise Forbidden(f"node {short_id(node)} is blocked")
        if self._group is None:
            raise Unavailable("this node is not running")
        task = self._dials.get(node)
        if task is None:
            name = f"neighbours.dial.{short_id(node)}"
            task = self._dials[node] = self._group.create_task(
                self._dial(node, addresses), name=name
            )
        await asyncio.wait([task])
        if task.cancelled():
            raise Unavailable("this node is stopping")
        outcome = task.result()
        if isinstance(outcome, NodeError):
            raise outcome
        return outcome

    async def _dial(self, node: NodeId, addresses: Sequence[str]) -> Neighbour | NodeError:
        try:
            return await self._reach(node, addresses)
        except RemoteProtocolError as error:
            self._hostile(node, str(error))
            failure: NodeError = error
        except TimeoutError:
            failure = Unavailable(f"node {short_id(node)} did not say hello")
        except NodeError as error:
            failure = error
        finally:
            del self._dials[node]
        self.counters.dials_failed += 1
        return failure

    async def _reach(self, node: NodeId, addresses: Sequence[str]) -> Neighbour:
        if node not in self._claims and self._is_full():
            raise Unavailable("this node has all the links that it wants; raise max-peers for more")
        self.counters.dials += 1
        link = await self._endpoint.connect(node, addresses)
        if node in self._claims:
            link.close(_DUPLICATE.reason)
            return await self._arrival(node)
        self._claims[node] = link
        try:
            introduced = await hellos.introduce(
                link, self._endpoint.node, self._hello(), self._config.mesh_secret
            )
            return self._settle(introduced)
        except (LinkClosed, hellos.Refused) as error:
            is_lost = self._claims.get(node) is not link or _is_duplicate(error)
            self._release(link, "no hello")
            if is_lost:
                return await self._arrival(node)
            raise
        except BaseException:
            self._release(link, "no hello")
            raise

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
            raise Unavailable(
                f"node {short_id(node)} dialled us at the same time, and did not get through"
            )
        return found

    # In

    async def _accept(self) -> None:
        while True:
            try:
                link = await self._endpoint.accept()
            except LinkClosed:
                return
            if self.is_banned(link.peer):
                self.counters.refused_banned += 1
                link.close(_BANNED.reason)
                continue
            try:
                await self._greet(link)
            except BaseException:
                self._release(link, "no hello")
                raise

    async def _greet(self, link: Link) -> None:
        own, secret = self._endpoint.node, self._config.mesh_secret
        try:
            introduced = await hellos.listen(link, own, secret)
            no = self._admit(link)
            if no is not None:
                await hellos.farewell(link, introduced.stream, no)
                return
            await hellos.answer(introduced, own, self._hello(), secret)
            self._settle(introduced)
            self.counters.accepted += 1
        except hellos.WrongMesh:
            self.counters.refused_mesh += 1
        except RemoteProtocolError as error:
            self._hostile(link.peer, str(error))
            self._release(link, str(error))
        except (LinkClosed, TimeoutError, hellos.Refused):
            self.counters.handshakes_failed += 1
            self._release(link, "no hello")

    def _admit(self, link: Link) -> Goodbye | None:
        """Let it claim its node, or the reason why not."""
        claim = self._claims.get(link.peer)
        if self.is_banned(link.peer):
            self.counters.refused_banned += 1
            return _BANNED
        if claim is None and self._is_full():
            self.counters.refused_full += 1
            return _NO_ROOM
        if claim is not None:
            self.counters.duplicates += 1
            if (
                claim.is_dialler
                and self._endpoint.node < link.peer
                and not self._is_stale(link.peer)
            ):
                return _DUPLICATE
            claim.close("replaced by a newer link")
        self._claims[link.peer] = link
        return None

    def _is_stale(self, node: NodeId) -> bool:
        """Whether the link that is up has gone quiet: the node may have been started anew, and
        dials again."""
        neighbour = self._neighbours.get(node)
        quiet_s = self._config.silence_s / 2
        return neighbour is not None and neighbour.silent_for(monotonic()) > quiet_s

    # Both

    def _is_full(self) -> bool:
        return len(self._claims) >= self._config.max_peers

    def _settle(self, introduced: Introduced) -> Neighbour:
        """It is a neighbour now. Raises: LinkClosed when its claim was lost meanwhile."""
        node = introduced.link.peer
        if self._claims.get(node) is not introduced.link or self._group is None:
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
        return neighbour

    async def _live(self, neighbour: Neighbour) -> None:
        departure = Departure("the node stopped")
        try:
            self._tell(self._handlers.neighbour_up, neighbour)
            departure = await neighbour.run()
        finally:
            self._release(neighbour.link, departure.reason)
            self._down(neighbour, departure.reason)
        if departure.hostile:
            self._hostile(neighbour.node, departure.reason)
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

    def _release(self, link: Link, reason: str) -> None:
        link.close(reason)
        if self._claims.get(link.peer) is link:
            del self._claims[link.peer]

    def _hostile(self, node: NodeId, reason: str) -> None:
        self.counters.hostile += 1
        self.ban(node, reason)


def _is_duplicate(error: NodeError) -> bool:
    return isinstance(error, hellos.Refused) and error.goodbye == _DUPLICATE
