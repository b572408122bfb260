"""The side of an overlay that feeds others: who is accepted, redirected, handed over. Pure."""

from collections.abc import Iterable

from headwater.overlay.capacity import Capacity, Child, gives_way
from headwater.overlay.commands import StartPush, StopPush
from headwater.overlay.common import Common
from headwater.overlay.feed import Feed
from headwater.overlay.partner import Partner
from headwater.wire.ids import NodeId
from headwater.wire.live import MAX_ANCESTORS, Accept, Hold, Path, Redirect, Subscribe

__all__ = ["Children", "moves"]


LEAST_KEEP_S = 0.3
"""A child that was handed over is fed so long, however many press on."""
VACANT_S = 3.0
"""The slot that we left is thought to be free for so long."""


def moves(mine: NodeId, other: NodeId, stripe: int) -> bool:
    """Of two nodes that ask each other at the same time, whether `mine` becomes the child."""
    return mine[stripe:] + mine[:stripe] < other[stripe:] + other[:stripe]


class Children:
    """Answers Subscribe, and keeps children told of their ancestors."""

    def __init__(self, common: Common, feeds: list[Feed], capacity: Capacity) -> None:
        self._common, self._feeds, self.capacity = common, feeds, capacity

    def subscribe(self, partner: Partner, message: Subscribe, now: float) -> None:
        """Accept, or Redirect: when it would close a loop, when this stripe does not flow here,
        when there is no slot and no weaker child."""
        node, stripe, capacity = partner.node, message.stripe, self.capacity
        partner.slots = message.slots
        child = capacity.of[stripe].get(node)
        if self._is_refused(node, stripe):
            self._redirect(node, stripe, now)
        elif child is not None and (child.is_staying or capacity.has_room(stripe)):
            capacity.take_back(child)
            child.first, child.slots = message.first, message.slots
            self._welcome(child)
        elif child is not None:
            self._redirect(node, stripe, now)
        elif capacity.has_room(stripe):
            self._welcome(capacity.add(node, stripe, message.first, message.slots))
        elif (weaker := capacity.weaker(stripe, message.slots)) is not None and self._may_hand_over(
            now
        ):
            self.hand_over(weaker, (node,), now)
            self._welcome(capacity.add(node, stripe, message.first, message.slots))
        else:
            self._redirect(node, stripe, now)

    def _may_hand_over(self, now: float) -> bool:
        """Only so many leave at a time; in a rush those that had a moment to move have to go."""
        oldest = self.capacity.oldest_leaving()
        if oldest is None:
            return True
        keep_s = self._common.limits.keep_ms / 1000
        if oldest.leaving_at - now > keep_s - LEAST_KEEP_S:
            return False
        common = self._common
        common.send(oldest.node, Redirect(common.live, oldest.stripe, ()))
        self.remove(oldest.node, oldest.stripe, is_linked=True)
        return True

    def _is_refused(self, node: NodeId, stripe: int) -> bool:
        if self._common.is_source:
            return False
        feed = self._feeds[stripe]
        if not feed.is_flowing() or node in feed.path or len(feed.path) >= MAX_ANCESTORS - 1:
            return True
        if feed.asked == node:
            if moves(self._common.me, node, stripe):
                return True
            feed.asked = None
        return False

    def _welcome(self, child: Child) -> None:
        common = self._common
        path = self._feeds[child.stripe].path
        common.send(child.node, Accept(common.live, child.stripe, path))
        oldest = common.window.edge - int(common.limits.behind_s / common.part_s)
        first = max(child.first, oldest, 0)
        common.out.append(StartPush(child.node, child.stripe, first))

    def _redirect(self, node: NodeId, stripe: int, now: float) -> None:
        common = self._common
        partner = common.partners.get(node)
        slots = partner.slots if partner is not None else 0
        names = self.others(node, stripe, now, slots=slots)
        common.send(node, Redirect(common.live, stripe, names))

    def others(
        self, node: NodeId, stripe: int, now: float, *, slots: int = 0
    ) -> tuple[NodeId, ...]:
        """Who may feed `node`, which has so many slots: children of ours whose weakest would give
        way to it, those said to have room, then our own strong children."""
        common = self._common
        path = self._feeds[stripe].path
        children = self.capacity.of[stripe]
        half = common.limits.names_per_message // 2
        roomy = [
            p.node
            for p in common.partners.values()
            if p.open >> stripe & 1 and p.free > 0 and p.avoid_until <= now
        ]
        below = [n for n in roomy if n in children]
        if len(below) < half:
            others = [n for n in roomy if n not in children]
            below += common.rng.sample(others, min(len(others), half - len(below)))
        strong = sorted(
            (c for c in children.values() if c.slots > 0), key=lambda child: -child.slots
        )
        if len(below) > half:
            below = common.rng.sample(below, half)
        for each in below:
            common.partners[each].free -= 1  # until it says so itself
        yielding = self._yielding(children, slots)
        names = [*yielding, *below, *(c.node for c in strong[:half])]
        feed = self._feeds[stripe]
        if feed.former is not None and now - feed.since < VACANT_S:
            names.insert(0, feed.former)
        if self._feeds[stripe].parent is not None and len(names) < half:
            names.extend(path[:2])
        return tuple(dict.fromkeys(name for name in names if name != node))

    def _yielding(self, children: Iterable[NodeId], slots: int) -> list[NodeId]:
        common, partners = self._common, self._common.partners
        found = [
            n
            for n in children
            if n in partners and gives_way(partners[n].weakest, slots, common.limits)
        ]
        return common.rng.sample(found, min(len(found), 2))

    def hand_over(self, child: Child, to: tuple[NodeId, ...], now: float) -> None:
        """Send a child elsewhere; it keeps its feed until it flows there, or for keep_ms."""
        common = self._common
        keep_ms = common.limits.keep_ms
        names = to or self.others(child.node, child.stripe, now)
        self.capacity.hand_over(child, now + keep_ms / 1000)
        common.send(child.node, Redirect(common.live, child.stripe, names, keep_ms))

    def suspected(self, node: NodeId, now: float) -> None:
        """It may be gone: its slots are for others, those above all who were fed by it. It is fed
        on, for it may be there."""
        for stripe in self.capacity.stripes_of(node):
            child = self.capacity.of[stripe][node]
            if child.is_staying:
                until = now + self._common.limits.suspected_s
                self.capacity.hand_over(child, until, is_suspected=True)

    def cleared(self, node: NodeId, now: float) -> None:
        """It is there: it stays, unless its slots are taken by now."""
        for stripe in self.capacity.stripes_of(node):
            child = self.capacity.of[stripe][node]
            if not child.is_suspected:
                continue
            if self.capacity.has_room(stripe):
                self.capacity.take_back(child)
            else:
                self.hand_over(child, (), now)

    def remove(self, node: NodeId, stripe: int, *, is_linked: bool) -> None:
        if self.capacity.remove(node, stripe) and is_linked:
            self._common.out.append(StopPush(node, stripe))

    def remove_all(self, node: NodeId, *, is_linked: bool) -> None:
        for stripe in self.capacity.stripes_of(node):
            self.remove(node, stripe, is_linked=is_linked)

    def forward(self, seq: int, source: NodeId | None, *, is_newest: bool) -> tuple[NodeId, ...]:
        """Whom a part goes to: all of its stripe's children, or when it is a repaired one, those
        that asked for parts so old."""
        stripe = seq % self._common.stripes
        targets = self.capacity.targets[stripe]
        if not targets:
            return ()
        if not is_newest:
            children = self.capacity.of[stripe]
            targets = tuple(n for n in targets if n != source and children[n].first <= seq)
        return self._answering(stripe, targets) if self.capacity.suspected else targets

    def _answering(self, stripe: int, targets: tuple[NodeId, ...]) -> tuple[NodeId, ...]:
        """Those that are there. Who may be gone gets one part, and others when it has taken that:
        when many die, what is sent to them is missing elsewhere."""
        children = self.capacity.of[stripe]
        found = tuple(node for node in targets if not children[node].is_probed)
        for node in found:
            children[node].is_probed = children[node].is_suspected
        return found

    def tell_path(self, stripe: int) -> None:
        common = self._common
        path = self._feeds[stripe].path
        for node in self.capacity.targets[stripe]:
            common.send(node, Path(common.live, stripe, path))

    def tell_hold(self, stripe: int) -> None:
        common = self._common
        for node in self.capacity.targets[stripe]:
            common.send(node, Hold(common.live, stripe))
            common.counters.holds += 1

    def tick(self, now: float) -> None:
        for child in self.capacity.tick(now):
            self.remove(child.node, child.stripe, is_linked=True)
        while (surplus := self.capacity.surplus()) is not None:
            self.hand_over(surplus, (), now)
