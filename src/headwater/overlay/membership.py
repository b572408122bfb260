"""Whom to link with: names from the catalogue, from neighbours and from redirects. Pure."""

from collections.abc import Iterable, Sequence

from headwater.overlay.commands import Dial
from headwater.overlay.common import Common
from headwater.wire.ids import NodeId
from headwater.wire.live import LivePeers

__all__ = ["Membership"]

DIAL_S = 3.0
"""A dial without a link after that time has failed."""
REDIAL_S = 10.0
"""Before a node is dialled again; doubled each time."""
LONELY_S = 0.5
"""The same after a link was lost, for a node that has few others."""
CUT_OFF_S = 2.0
"""The same for a node that nothing comes to..."""
CUT_OFF_SHARE = 0.25
"""...or so much of the time for which nothing has come, if that is longer."""
MAX_DIALS = 4


class Membership:
    """Names and dials. Shape: at most limits.known names, the oldest give way."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self.linked: dict[NodeId, float] = {}
        """Nodes with a link, whether they take part or not, and the round trip in seconds."""
        self._known: dict[NodeId, float] = {}
        """Not to be dialled before."""
        self._failures: dict[NodeId, int] = {}
        self._dialling: dict[NodeId, float] = {}
        self._fresh: list[NodeId] = []
        self.publisher: NodeId | None = None

    def named(self, nodes: Sequence[NodeId], now: float) -> None:
        """By the catalogue, the publisher's node first: that one may be dialled again, for whoever
        was started anew is named anew."""
        self.learn(nodes)
        if nodes:
            self.publisher = nodes[0]
            if self.publisher in self._known:
                soon = now + self._common.spread(LONELY_S)
                self._known[self.publisher] = min(self._known[self.publisher], soon)

    def learn(self, nodes: Iterable[NodeId]) -> None:
        limits = self._common.limits
        for node in nodes:
            if node != self._common.me and node not in self.linked and node not in self._known:
                self._known[node] = 0.0
        while len(self._known) > limits.known:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._failures.pop(oldest, None)

    def connected(self, node: NodeId, rtt_s: float) -> None:
        self.linked[node] = rtt_s
        self._known.pop(node, None)
        self._failures.pop(node, None)
        self._dialling.pop(node, None)

    def measured(self, node: NodeId, rtt_s: float) -> None:
        if node in self.linked:
            self.linked[node] = rtt_s

    def disconnected(self, node: NodeId, now: float) -> None:
        if self.linked.pop(node, None) is not None:
            self.learn((node,))
            if node in self._known:
                is_lonely = len(self._common.partners) < self._common.limits.few_partners
                pause_s = self._common.spread(LONELY_S if is_lonely else REDIAL_S)
                self._known[node] = max(self._known[node], now + pause_s)

    def avoid(self, node: NodeId, until: float) -> None:
        """Remember a node that failed us."""
        self._known.pop(node, None)
        self._known[node] = until

    def dial(self, nodes: Iterable[NodeId], now: float, *, most: int = MAX_DIALS) -> None:
        """Link to those that are not linked, not being dialled and not resting."""
        self.learn(nodes)
        for node in nodes:
            if len(self._dialling) >= most:
                return
            if node in self._dialling or self._known.get(node, now + 1) > now:
                continue
            self._dialling[node] = now + DIAL_S
            failures = self._failures[node] = self._failures.get(node, 0) + 1
            self._known[node] = now + self._common.spread(REDIAL_S * 2 ** min(failures - 1, 5))
            self._common.out.append(Dial(node))

    def heard_of(self, nodes: Iterable[NodeId], now: float) -> None:
        """From a partner, who names those with room first: they are tried first, and at once by
        who has hardly a partner, since a full node that names others does not stay linked, and
        who is behind NAT may be reached only while it is."""
        fresh = [node for node in nodes if node != self._common.me and node not in self.linked]
        for node in fresh:
            self._known.setdefault(node, 0.0)
        self._fresh = (fresh + self._fresh)[: self._common.limits.hints]
        self.learn(())
        if len(self._common.partners) < self._common.limits.few_partners:
            self.dial(fresh, now)

    def explore(self, now: float) -> None:
        """Dial one that a partner has named."""
        while self._fresh and not self._dialling:
            self.dial((self._fresh.pop(0),), now)

    def fill(self, wanted: int, now: float) -> None:
        """Dial until so many take part, those first whose turn it has been for longest."""
        for node in [node for node, until in self._dialling.items() if until <= now]:
            del self._dialling[node]
        room = min(MAX_DIALS, wanted - len(self._common.partners))
        if room > 0:
            due = [node for node, at in self._known.items() if at <= now]
            due.sort(key=self._known.__getitem__)  # those named by the catalogue stay in its order
            self.dial(due, now, most=room)

    def cut_off(self, dry_s: float, now: float) -> None:
        """Nothing has come for so long: whom we could not reach, and even who failed us, may soon
        be the way back to the others."""
        pause_s = max(CUT_OFF_S, dry_s * CUT_OFF_SHARE)
        for node, at in self._known.items():
            self._known[node] = min(at, now + self._common.spread(pause_s))

    def gossip(self, node: NodeId) -> None:
        """Tell a partner of others: those with room first, then some that are near, then any."""
        common = self._common
        others = [p for p in common.partners.values() if p.node != node]
        if not others:
            return
        count = common.limits.names_per_message
        others.sort(key=lambda p: p.rtt_s)
        roomy = [p.node for p in others if p.open][: count // 2]
        near = [p.node for p in others if p.node not in roomy][: count // 4]
        rest = [p.node for p in others if p.node not in roomy and p.node not in near]
        room = count - len(roomy) - len(near)
        names = roomy + near + common.rng.sample(rest, min(len(rest), room))
        common.send(node, LivePeers(common.live, tuple(names)))
