"""Who takes part around us: LiveJoin in and out, who is let go, who has failed us. Pure."""

import math
from collections.abc import Iterable

from headwater.overlay.capacity import Capacity
from headwater.overlay.commands import Drop
from headwater.overlay.common import Common
from headwater.overlay.feed import Feed
from headwater.overlay.membership import Membership
from headwater.overlay.partner import Partner
from headwater.wire.ids import NodeId
from headwater.wire.live import LiveJoin, LiveLeave

__all__ = ["Partners"]

TELL_S = 0.2
"""Between two words to partners on what is free and flows here; the first is said at once."""
ASKED_AROUND, STALE_S = 4, 1.0
"""So many are asked at a time, who have said nothing for so long."""
FRESH_S = 4.0
"""A new partner is not let go so soon."""
USELESS_S = 10.0


class Partners:
    """Shape: limits.neighbours partners; those without a relation are cut to idle_partners."""

    def __init__(
        self,
        common: Common,
        feeds: list[Feed],
        capacity: Capacity,
        membership: Membership,
        *,
        is_viewer: bool,
    ) -> None:
        """`is_viewer`: somebody watches here, not only below."""
        self._common, self._feeds, self._capacity = common, feeds, capacity
        self._membership, self.is_viewer = membership, is_viewer
        self._told_viewers: tuple[NodeId | None, int] = (None, 0)
        self._told: tuple[int, ...] = ()
        self._told_at, self.tell_at = -math.inf, math.inf
        """When partners were told, and are to be told anew."""

    # LiveJoin.

    def greet(self, node: NodeId) -> None:
        self._common.send(node, self._message(is_answer=False))

    def _message(self, *, is_answer: bool) -> LiveJoin:
        capacity, flows = self._capacity, self.flows()
        return LiveJoin(
            *(self._common.live, capacity.slots, capacity.free, is_answer),
            *(self.viewers(), flows, flows & capacity.open_stripes(), capacity.weakest),
        )

    def flows(self) -> int:
        """As in LiveJoin."""
        if self._common.is_source:
            return (1 << self._common.stripes) - 1
        return sum(1 << feed.index for feed in self._feeds if feed.is_flowing())

    def viewers(self) -> int:
        """Here and below, along stripe 0."""
        partners = self._common.partners
        below = sum(partners[n].viewers for n in self._capacity.of[0] if n in partners)
        return below + (1 if self.is_viewer else 0)

    def take_in(self, node: NodeId, message: LiveJoin, now: float) -> Partner | None:
        """A linked node takes part; None when there is no room for it."""
        common = self._common
        if len(common.partners) >= common.limits.neighbours:
            self._membership.gossip(node)
            common.out.append(Drop(node, "as many neighbours as it can have", hostile=False))
            return None
        partner = Partner(node, self._membership.linked[node], common.stripes, since=now)
        common.partners[node] = partner
        self.said(partner, message, now)
        return partner

    def ask_around(self, now: float) -> None:
        """A stripe is missing: those who have told us nothing for long may have room by now."""
        others = sorted(self._common.partners.values(), key=lambda partner: partner.said_at)
        for partner in others[:ASKED_AROUND]:
            if now - partner.said_at > STALE_S:
                self.greet(partner.node)

    def said(self, partner: Partner, message: LiveJoin, now: float) -> None:
        partner.said_at = now
        opened = message.open & ~partner.open
        for feed in self._feeds:
            if opened >> feed.index & 1:
                partner.refused_until[feed.index] = feed.seek_at = 0.0
        partner.slots, partner.free = message.slots, message.free
        partner.viewers = message.viewers
        partner.flows, partner.open = message.flows, message.open
        partner.weakest = message.weakest
        for stripe in self._capacity.stripes_of(partner.node):
            self._capacity.of[stripe][partner.node].slots = message.slots
        if not message.is_answer:
            self._common.send(partner.node, self._message(is_answer=True))

    def look(self, now: float) -> None:
        """Have partners told soon, if what they go by has changed: whether there are free slots,
        what flows, who would give way."""
        if self.tell_at == math.inf and self._told != self._status():
            self.tell_at = now + TELL_S * (0.2 if now - self._told_at > 2 * TELL_S else 1.0)

    def _status(self) -> tuple[int, ...]:
        capacity = self._capacity
        free, flows = capacity.free.bit_length(), self.flows()
        return capacity.slots, free, flows, flows & capacity.open_stripes(), capacity.weakest

    def tell(self, nodes: Iterable[NodeId]) -> None:
        self._told_at, self.tell_at = self.tell_at, math.inf
        status = self._status()
        if status == self._told:
            return
        self._told = status
        message = self._message(is_answer=True)
        for node in nodes:
            self._common.send(node, message)

    def tell_viewers(self) -> None:
        parent = self._feeds[0].parent
        news = (parent, self.viewers())
        if parent is not None and news != self._told_viewers:
            self._told_viewers = news
            self._common.send(parent, self._message(is_answer=True))

    # Letting go.

    def prune(self, now: float) -> list[NodeId]:
        """Drop links to partners that are of no use; returns whom."""
        common = self._common
        idle = [
            partner
            for partner in common.partners.values()
            if now - partner.since > FRESH_S and not self._is_related(partner.node)
        ]
        surplus = len(idle) - common.limits.idle_partners
        if surplus <= 0:
            return []
        idle.sort(key=lambda p: (p.avoid_until <= now, p.open != 0, p.heard_at > now - 2, -p.rtt_s))
        gone = [partner.node for partner in idle[:surplus]]
        for node in gone:
            common.send(node, LiveLeave(common.live))
            common.out.append(Drop(node, "enough neighbours", hostile=False))
        return gone

    def _is_related(self, node: NodeId) -> bool:
        return any(
            node in (feed.parent, feed.asked, feed.retiring) or node in children
            for feed, children in zip(self._feeds, self._capacity.of, strict=True)
        )

    # Failures.

    def fell_silent(self, partner: Partner, stripe: int, now: float) -> None:
        """Its stripe stood still for a moment: others are asked for that stripe first."""
        limits = self._common.limits
        if now - partner.struck_at > 60.0:
            partner.silences = 0
        partner.silences += 1
        partner.struck_at = now
        partner.refused_until[stripe] = now + self._common.spread(4 * limits.refused_s)
        if partner.silences >= limits.silences * self._common.stripes:
            self.failed(partner, "its stripes stand still again and again", now)

    def failed(self, partner: Partner, reason: str, now: float) -> None:
        """It accepted and does not deliver: not asked for a while, the longer the more often."""
        limits = self._common.limits
        if partner.avoid_until > now:
            return
        partner.strikes += 1
        partner.silences = 0
        rest_s = min(limits.max_avoid_s, limits.avoid_s * 2 ** (partner.strikes - 1))
        partner.avoid_until = now + rest_s
        if partner.strikes >= limits.strikes:
            self._membership.avoid(partner.node, now + limits.max_avoid_s)
            self._common.out.append(Drop(partner.node, reason, hostile=False))

    def useless_part(self, partner: Partner, now: float) -> None:
        """It pushed what it had pushed before, or what we never asked for."""
        if now - partner.useless_at > USELESS_S:
            partner.useless_at, partner.useless = now, 0
        partner.useless += 1
        if partner.useless == self._common.limits.useless_parts:
            self._common.out.append(Drop(partner.node, "pushes old parts", hostile=True))
