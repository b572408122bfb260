"""A node's part in one live: who feeds it, whom it feeds, what it asks for, what it plays. Pure.

This joins the parts of it and holds no rule of its own but who is told what. docs/overlay.md is the
theory of operation."""

import math
from collections.abc import Sequence
from dataclasses import replace

from headwater.errors import RemoteProtocolError
from headwater.overlay.announcements import TOLD_PARTS, Announcements
from headwater.overlay.capacity import Capacity
from headwater.overlay.children import Children
from headwater.overlay.commands import Command, Forget
from headwater.overlay.common import Common, Rng
from headwater.overlay.deadline import Deadline
from headwater.overlay.delivery import Delivery
from headwater.overlay.feed import Feed
from headwater.overlay.feeds import Feeds
from headwater.overlay.improvement import Improvement
from headwater.overlay.lateness import Cadence
from headwater.overlay.limits import Limits
from headwater.overlay.membership import Membership
from headwater.overlay.partner import UNKNOWN_RTT_S, Partner
from headwater.overlay.partners import Partners
from headwater.overlay.repair import Repair
from headwater.overlay.report import NeighbourReport, Report, StripeReport
from headwater.overlay.window import Window
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.live import (
    Accept,
    Hold,
    LiveHave,
    LiveJoin,
    LiveLeave,
    LiveMessage,
    LivePeers,
    PartInfo,
    Path,
    Redirect,
    Subscribe,
    Unsubscribe,
)

__all__ = ["DEFAULT", "Overlay"]

CHECK_S = 0.02
"""Between two looks at feeds and holes: many become due within a moment, and who asks again at each
word and each part of a burst asks the same few for the same."""
LONG_STILL_S = 1.0
"""When nobody's part is newer for so long, we and those around us may have been cut off."""
WORTH_S = 0.06
"""A pull that brought a part so much sooner than the parent did was worth it: who waits longer the
next time lets a slow parent drag it along."""
FORGET_STEP_PARTS = 32
OVERSLEPT_S = 1.0
"""A timer that late says that this very node stood still, not the others."""
DEFAULT = Limits()
"""Of every overlay that is not given others."""


class Overlay:
    """Inputs change it and leave commands; `commands` drains them. Units: seconds by one clock
    that never goes back."""

    def __init__(
        self,
        live: LiveId,
        me: NodeId,
        *,
        is_source: bool,
        stripes: int,
        part_s: float,
        slots: int,
        rng: Rng,
        now: float,
        limits: Limits = DEFAULT,
        wants_delivery: bool = True,
    ) -> None:
        width = int(limits.window_s / part_s)
        width = min(max(width, limits.min_window_parts), limits.max_window_parts)
        window = Window(width, limits.inits)
        cadence = Cadence(stripes, part_s)
        self._common = Common(live, me, is_source, stripes, part_s, rng, limits, window, cadence)
        feeds = [Feed(index, since=now) for index in range(stripes)]
        self._capacity = Capacity(stripes, part_s, slots, limits, is_source=is_source)
        self._delivery = Delivery(window, has_player=wants_delivery)
        self._children = Children(self._common, feeds, self._capacity)
        self._repair = Repair(self._common, feeds, self._capacity, self._delivery)
        self._membership = Membership(self._common)
        self._announcements = Announcements(self._common, feeds, self._capacity)
        self._partners = Partners(
            *(self._common, feeds, self._capacity, self._membership), is_viewer=wants_delivery
        )
        self._feeds = Feeds(
            *(self._common, feeds, self._children, self._repair, self._membership.dial),
            self._partners,
        )
        self._improvement = Improvement(self._common, feeds, self._capacity, now)
        self._tick_at = now + common_tick(self._common)
        self._check_at, self._checked_at = math.inf, -math.inf
        self._ticks = 0
        self._forgot = 0
        self._deadline = Deadline(limits, part_s, now)
        self._has_left = False

    # Nodes.

    def candidates(self, nodes: Sequence[NodeId], now: float) -> None:
        """Whom the catalogue names, the publisher's node first, and mesh neighbours."""
        self._membership.named(nodes, now)
        self._membership.fill(self._common.limits.few_partners, now)

    def connected(self, node: NodeId, rtt_s: float | None, now: float) -> None:
        """A link is up. Who answers LiveJoin takes part."""
        if node == self._common.me or self._has_left:
            return
        if node in self._common.partners:
            self._lost(node, now)
        self._membership.connected(node, UNKNOWN_RTT_S if rtt_s is None else rtt_s)
        self._partners.greet(node)
        self._feeds.linked(node, self._membership.linked[node], now)

    def measured(self, node: NodeId, rtt_s: float) -> None:
        """How long a round trip takes on that link by now."""
        self._membership.measured(node, rtt_s)
        partner = self._common.partners.get(node)
        if partner is not None:
            partner.rtt_s = rtt_s

    def disconnected(self, node: NodeId, now: float) -> None:
        self._membership.disconnected(node, now)
        self._lost(node, now)

    def suspected(self, node: NodeId, now: float) -> None:
        """It may be gone, though its link is not yet: what it owes is sought elsewhere at once. If
        it lives, its next part says so."""
        partner = self._common.partners.get(node)
        if partner is not None:
            partner.avoid_until = max(partner.avoid_until, now + self._common.limits.suspected_s)
            self._repair.lost(node, now)
            self._feeds.suspected(node, now)
            self._children.suspected(node, now)
            self._partners.look(now)
            self._wake_at_once(now)

    def cleared(self, node: NodeId, now: float) -> None:
        """A child that was suspected takes what is pushed to it."""
        self._children.cleared(node, now)
        self._partners.look(now)

    def _lost(self, node: NodeId, now: float) -> None:
        if self._common.partners.pop(node, None) is None:
            return
        self._children.remove_all(node, is_linked=False)
        self._repair.lost(node, now)
        self._feeds.lost(node, now)
        self._announcements.change()
        self._wake_at_once(now)

    # Messages.

    def receive(self, node: NodeId, message: LiveMessage, now: float) -> None:
        """Raises: RemoteProtocolError when it broke a rule: drop the node, and ban it."""
        partner = self._common.partners.get(node)
        if partner is None:
            if isinstance(message, LiveJoin) and node in self._membership.linked:
                self._take_in(node, message, now)
            return
        if self._has_left:
            return
        self._count(partner, now)
        if isinstance(message, LiveHave):
            if self._announcements.heard(partner, message, now):
                self._told_of_more(message.edge, now)
            return
        self._receive_rare(partner, message, now)
        self._partners.look(now)
        if self._feeds.are_wanting():
            self._wake(now)

    def _count(self, partner: Partner, now: float) -> None:
        limits, partner.alive_at = self._common.limits, now
        if partner.counts(now, limits.messages_per_s) > limits.messages_burst:
            raise RemoteProtocolError("more messages about a live than it can need")

    def _receive_rare(self, partner: Partner, message: LiveMessage, now: float) -> None:
        if isinstance(message, LiveJoin):
            self._partners.said(partner, message, now)
            return
        if isinstance(message, LiveLeave):
            self._lost(partner.node, now)
            return
        if isinstance(message, LivePeers):
            self._membership.heard_of((NodeId(node) for node in message.nodes), now)
            return
        if isinstance(message, LiveHave):
            return
        if message.stripe >= self._common.stripes:
            raise RemoteProtocolError(f"there is no stripe {message.stripe} in this live")
        self._announcements.change()
        if isinstance(message, Subscribe):
            limits = self._common.limits
            if partner.asks(now, limits.subscribes_per_s) > limits.subscribes_burst:
                raise RemoteProtocolError("asks for stripes again and again")
            self._children.subscribe(partner, message, now)
        elif isinstance(message, Unsubscribe):
            self._children.remove(partner.node, message.stripe, is_linked=True)
        elif isinstance(message, Accept):
            self._feeds.accepted(partner, message, now)
        elif isinstance(message, Redirect):
            self._feeds.redirected(partner, message, now)
        elif isinstance(message, Path):
            self._feeds.path_changed(partner, message, now)
        elif isinstance(message, Hold):
            self._feeds.held(partner, message, now)

    def _take_in(self, node: NodeId, message: LiveJoin, now: float) -> None:
        if self._partners.take_in(node, message, now) is None:
            return
        self._announcements.change()
        self._partners.look(now)
        if self._partners.flows():
            self._announcements.tell(node)
            if not message.is_answer and not message.flows:
                self._membership.gossip(node)

    def _told_of_more(self, edge: int, now: float) -> None:
        """A neighbour has what is not here: the first thing a joiner hears, or a sign that our
        own feed stands still."""
        common = self._common
        if common.is_source:
            return
        if common.window.edge < 0:
            for feed in self._feeds.feeds:
                if feed.parent is None:
                    self._feeds.seek(feed, now)
            self._wake(now)
            return
        first = common.window.edge + 1
        due = common.cadence.expected(first, now) + common.limits.hole_s
        self._wake(max(due, now + 0.01))

    # Parts.

    def is_wanted(self, info: PartInfo, now: float) -> bool:
        """Whether it is worth checking: not here yet, and not too old."""
        return self._common.window.is_wanted(info.seq)

    def part_repeated(self, seq: int, source: NodeId, now: float) -> None:
        """A part that is not wanted was pushed. That tells something too: the parent is there,
        though the part was pulled meanwhile; or a node pushes old ones."""
        self._common.counters.duplicates += 1
        partner = self._common.partners.get(source)
        if partner is None:
            return
        partner.alive_at = now
        partner.pushed(seq, now, TOLD_PARTS)
        if not partner.gives(seq, TOLD_PARTS):
            self._partners.useless_part(partner, now)
        elif self._feeds.pushed(partner, seq, now):
            came = self._common.arrivals.when(seq)
            if came is not None and now - came < WORTH_S:
                self._common.cadence.repeated(seq, now)

    def left_out(self, seq: int, source: NodeId, now: float) -> None:
        """A word came in place of a part that was to be pushed. Raises: RemoteProtocolError when
        there are more of them than there can be parts."""
        partner = self._common.partners.get(source)
        if partner is not None:
            self._count(partner, now)
            if self._common.window.has(seq):
                self._feeds.left_out(partner, seq)
            self._wake(now)

    def forward(self, info: PartInfo, source: NodeId | None) -> tuple[NodeId, ...]:
        """Whom to push a VERIFIED part to; nobody when it is not wanted. Called, and the part
        pushed, before part_arrived: at each hop all who are below wait for what comes first."""
        if not self._common.window.is_wanted(info.seq):
            return ()
        is_newest = info.seq > self._common.window.edge
        return self._children.forward(info.seq, source, is_newest=is_newest)

    def part_arrived(
        self, info: PartInfo, source: NodeId | None, now: float, *, is_pushed: bool
    ) -> bool:
        """Take in a VERIFIED part; `source` is None for one made here. False: it was here."""
        common, window, seq = self._common, self._common.window, info.seq
        partner = common.partners.get(source) if source is not None else None
        edge = window.edge
        self._notice_sleep(now)
        if not window.add(info):
            if source is not None and is_pushed:
                self.part_repeated(seq, source, now)
            return False
        common.counters.parts += 1
        common.arrivals.note(seq, now)
        is_newest = seq > edge
        self._deadline.exists(seq, now)
        if partner is not None:
            partner.alive_at = now
            partner.pushed(seq, now, TOLD_PARTS)
        if is_pushed and partner is not None:
            partner.gives(seq, TOLD_PARTS)
            tells = self._feeds.pushed(partner, seq, now)
            is_timely = tells and seq > edge - common.stripes
            common.cadence.arrived(seq, info.pts_us / 1e6, now, is_timely=is_timely)
            self._announcements.arrived(seq, now)
        else:
            common.cadence.arrived(seq, info.pts_us / 1e6, now, is_timely=False)
            common.counters.pulled_parts += not is_pushed
        self._repair.arrived(seq)
        self._announcements.came(seq, source)
        self._moved_on(info, edge, now)
        if is_newest:
            self._announcements.edge_grew(seq, now)
        return True

    def _moved_on(self, info: PartInfo, edge: int, now: float) -> None:
        """What is here has changed: play on, or look at the holes."""
        common, window, delivery = self._common, self._common.window, self._delivery
        jump = common.limits.jump_s / common.part_s
        if edge < 0 or (info.seq > edge + jump and not common.is_source):
            self._repair.began(info.group, max(info.seq, self._repair.told()))
            if edge >= 0:
                self._deadline.pass_now()
            else:
                self._deadline.forget()
            self._improvement.begin(now)
            self._wake(now)
        before = delivery.next
        delivery.advance(common.out)
        if delivery.next != before:
            self._deadline.forget()
        if delivery.next <= window.edge:
            if info.is_key or info.is_init:
                self._wake(now)
            elif info.seq > edge + 1:
                due = common.cadence.expected(edge + 1, now) + common.limits.hole_s
                self._wake(max(due, now))
        if window.edge - window.width >= self._forgot + FORGET_STEP_PARTS:
            self._forgot = window.base
            common.out.append(Forget(self._forgot))

    def pulled(
        self, node: NodeId, seqs: Sequence[int], now: float, *, is_busy: bool = False
    ) -> None:
        """A Pull has ended, whatever came of it. `is_busy`: the node has the parts, but its
        children take all that it can send."""
        self._repair.pulled(node, tuple(seqs), now, is_busy=is_busy)
        self._wake(now)

    # Capacity.

    def backlog(self, node: NodeId, stripe: int, delay_s: float, now: float) -> None:
        """How long the oldest part for this child has waited to be sent."""
        child = self._capacity.backlogged(node, stripe, delay_s, now)
        if child is not None:
            self._children.hand_over(child, (), now)

    def watched(self, is_watched: bool) -> None:
        """Whether somebody here watches or keeps it: who only carries it is no viewer."""
        self._partners.is_viewer = is_watched

    def uplink(self, slots: int, now: float) -> None:
        """Capacity as measured or configured has changed, in stripes."""
        self._capacity.set_uplink(slots)
        self._children.tick(now)

    # Time.

    @property
    def timer_s(self) -> float:
        return min(self._tick_at, self._check_at, self._partners.tell_at)

    def handle_timer(self, now: float) -> None:
        if self._has_left:
            self._tick_at = self._check_at = self._partners.tell_at = math.inf
            return
        self._notice_sleep(now)
        if now >= self._check_at:
            self._check(now)
        if now >= self._partners.tell_at:
            self._partners.tell(self._announcements.targets())
        if now >= self._tick_at:
            self._tick(now)

    def _notice_sleep(self, now: float) -> None:
        """Parts that waited may come before the timer does."""
        if now - self.timer_s > OVERSLEPT_S:
            self._feeds.overslept(now)

    def _wake(self, at: float) -> None:
        """Look at feeds and holes then, when the shell has done what is due."""
        self._check_at = min(self._check_at, max(at, self._checked_at + CHECK_S))

    def _wake_at_once(self, now: float) -> None:
        """The same, when somebody failed: however short ago we looked."""
        self._check_at = min(self._check_at, now)

    def _check(self, now: float) -> None:
        self._checked_at = now
        told = self._repair.told()
        self._deadline.exists(self._repair.top(told), now)
        again = self._feeds.check(told, now)
        again = min(again, self._skip_late(now))
        again = min(again, self._repair.plan(told, now))
        self._check_at = max(again, now + CHECK_S)
        self._partners.look(now)

    def _skip_late(self, now: float) -> float:
        """Leave a hole behind that missed its deadline. Returns when to look again."""
        common, delivery = self._common, self._delivery
        low = self._repair.low()
        if low < 0 or common.is_source or common.window.edge < low:
            return math.inf
        late_at = self._deadline.ends_at(common.cadence.expected(low, now), now)
        if now < late_at or delivery.next < 0:
            return late_at if now < late_at else math.inf
        nearest = common.window.edge - int(common.limits.behind_s / common.part_s)
        if delivery.skip(nearest, common.out):
            common.counters.skips += 1
            self._deadline.forget()
            return now
        return math.inf  # the next keyframe wakes us

    def _tick(self, now: float) -> None:
        common = self._common
        self._ticks += 1
        self._tick_at = now + common_tick(common)
        self._children.tick(now)
        self._announcements.change()
        wanted = common.limits.few_partners
        if not common.is_source:
            if self._feeds.turn_to(self._membership.publisher, now):
                wanted = common.limits.partners
                self._partners.ask_around(now)
                self._wake(now)
            if self._improvement.may_climb(now):
                at_most = common.stripes if self._improvement.is_young(now) else 1
                if self._feeds.climb(now, at_most=at_most):
                    self._improvement.climbed(now)
            better = self._improvement.due(now)
            if better is not None:
                common.counters.switches += 1
                feed, partner = better
                self._feeds.ask(feed, partner.node, partner.rtt_s, partner.edge, now)
                self._wake(now)
            self._explore(now)
            still_s = now - self._deadline.newest_at
            if still_s > LONG_STILL_S:
                wanted = max(wanted, len(common.partners) + 1)
                self._membership.cut_off(still_s, now)
        self._membership.fill(wanted, now)
        self._partners.look(now)
        for node in self._partners.prune(now):
            self._lost(node, now)
        if self._ticks % common.limits.gossip_ticks == 0 and common.partners:
            self._membership.gossip(common.rng.choice(tuple(common.partners)))
        if self._ticks % 2 == 0:
            self._partners.tell_viewers()

    def _explore(self, now: float) -> None:
        """Get to know one more node: often while the place in the tree is new or poor, else now and
        then."""
        limits = self._common.limits
        is_new = self._improvement.is_young(now)
        if is_new or self._feeds.are_poor() or self._ticks % limits.explore_ticks == 0:
            self._membership.explore(now)

    # Out.

    def commands(self) -> list[Command]:
        """What is to be done, in order; drained."""
        out, self._common.out = self._common.out, []
        return out

    def report(self) -> Report:
        common, capacity = self._common, self._capacity
        stripes = tuple(
            StripeReport(feed.parent, capacity.targets[feed.index], feed.path, feed.is_flowing())
            for feed in self._feeds.feeds
        )
        neighbours = tuple(
            NeighbourReport(
                *(p.node, p.rtt_s, p.slots, p.free, p.edge),
                *(tuple(p.lateness_s), p.strikes, p.avoid_until > self._tick_at),
            )
            for p in common.partners.values()
        )
        return Report(
            *(common.window.edge, self._delivery.next, capacity.slots, capacity.free),
            *(self._partners.viewers(), stripes, neighbours, replace(common.counters)),
        )

    def leave(self, now: float) -> None:
        """Say goodbye: children are sent to who feeds us, and everybody is told."""
        if self._has_left:
            return
        self._has_left = True
        common = self._common
        for stripe, children in enumerate(self._capacity.of):
            to = self._feeds.feeds[stripe].path[:1]
            for node in list(children):
                common.send(node, Redirect(common.live, stripe, to))
                self._children.remove(node, stripe, is_linked=True)
        self._feeds.leave()
        for node in common.partners:
            common.send(node, LiveLeave(common.live))
        common.partners.clear()


def common_tick(common: Common) -> float:
    """A tick, a tenth more or less: so that a thousand nodes do not act at once."""
    return common.limits.tick_s * (0.9 + 0.2 * common.rng.random())
