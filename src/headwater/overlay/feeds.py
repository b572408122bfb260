"""The side of an overlay that is fed: a parent for each stripe, found, watched and replaced. Pure.

seeking --Subscribe--> asking --Accept--> fed --part--> flowing
   ^                     | Redirect, no answer            | next part overdue though it exists
   |                     v                                v
   +---------- another partner, or names to dial        silent: graft the best other partner
   +---------------- link gone, LiveLeave, a loop, sent away ---+
"""

import math
from collections.abc import Callable

from headwater.overlay.children import Children, moves
from headwater.overlay.choice import FULL_S, best_parent, knows_no_other
from headwater.overlay.climbing import Climbing
from headwater.overlay.common import Common
from headwater.overlay.feed import Feed
from headwater.overlay.partner import Partner
from headwater.overlay.partners import Partners
from headwater.overlay.repair import Repair
from headwater.wire.ids import NodeId
from headwater.wire.live import Accept, Hold, Path, Redirect, Subscribe, Unsubscribe

__all__ = ["Feeds"]

RETRY_S = 0.15
"""Between two looks for a parent while nobody is able."""
LONG_S = 1.0
"""Without a parent, and without anybody to ask."""
WALK_S = 0.5
"""Between two questions to nodes that say that they are full: for the names they answer with."""
RETIRE_S = 1.0
"""A former parent is let go after that even if the new one has not flowed yet."""
MAX_WORDS = 2
"""Parts in a row that a parent may leave out."""
LOOP_S = 3.0
KEY_WEIGHT = 1.5
"""A keyframe's part takes a parent's uplink that much longer than the mean part."""


class Feeds:
    """Parents of all stripes. `dial` is told names that a Redirect or a lost parent leaves."""

    def __init__(
        self,
        common: Common,
        feeds: list[Feed],
        children: Children,
        repair: Repair,
        dial: Callable[[tuple[NodeId, ...], float], None],
        partners: Partners,
    ) -> None:
        self._common, self.feeds, self._children = common, feeds, children
        self._repair, self._dial, self._partners = repair, dial, partners
        self._climbing = Climbing(common, feeds, children.capacity, self._ask_above, dial)

    # What others say.

    def accepted(self, partner: Partner, message: Accept, now: float) -> None:
        common, feed, node = self._common, self.feeds[message.stripe], partner.node
        if feed.asked != node and feed.parent is not None:
            if feed.parent != node:  # too late: another one feeds us
                common.send(node, Unsubscribe(common.live, feed.index))
            return
        if feed.asked == node:
            feed.asked = None
            if feed.is_climb and feed.is_flowing() and len(message.ancestors) + 1 >= len(feed.path):
                common.send(node, Unsubscribe(common.live, feed.index))  # no nearer than we are
                return
        partner.is_root = not message.ancestors
        if self._is_loop(message.ancestors) or node in self._children.capacity.of[feed.index]:
            common.counters.loops += 1
            partner.refused_until[feed.index] = now + common.spread(LOOP_S)
            common.send(node, Unsubscribe(common.live, feed.index))
            self._seek_if_wanting(feed, now)
            return
        self._adopt(feed, partner, message.ancestors, now)

    def _adopt(
        self, feed: Feed, partner: Partner, ancestors: tuple[bytes, ...], now: float
    ) -> None:
        common, node = self._common, partner.node
        if feed.parent is not None and feed.parent != node:
            self._retire(feed, now)
            feed.former = feed.parent
        if feed.retiring == node:
            feed.retiring, feed.retire_at = None, math.inf
        feed.parent, feed.since = node, now
        feed.path = (node, *(NodeId(each) for each in ancestors))
        feed.is_silent = feed.has_flowed = False
        feed.leave_by, feed.better, feed.climbing = math.inf, None, 0
        feed.pushed, feed.words = feed.asked_first - common.stripes, 0
        feed.missed = range(feed.asked_first, self._repair.told() + 1, common.stripes)
        feed.hinted = ()
        partner.free = max(0, partner.free - 1)
        service_s = partner.service_s(common.part_s, common.limits.uplink_share)
        later_s = (partner.lateness_s[feed.index] or 0.0) + service_s
        common.cadence.relearn(feed.index, later_s, KEY_WEIGHT * service_s)
        self._children.tell_path(feed.index)

    def _retire(self, feed: Feed, now: float) -> None:
        """Keep the parent before until the new one flows."""
        if feed.retiring is not None and feed.retiring != feed.parent:
            self._let_go(feed.retiring, feed.index)
        feed.retiring, feed.retire_at = feed.parent, now + RETIRE_S

    def _release(self, feed: Feed) -> None:
        """The parent before is not needed any more."""
        if feed.retiring is not None:
            self._let_go(feed.retiring, feed.index)
            feed.retiring, feed.retire_at = None, math.inf

    def _let_go(self, node: NodeId, stripe: int) -> None:
        if node in self._common.partners:
            self._common.send(node, Unsubscribe(self._common.live, stripe))

    def redirected(self, partner: Partner, message: Redirect, now: float) -> None:
        common, feed, node = self._common, self.feeds[message.stripe], partner.node
        names = tuple(NodeId(each) for each in message.nodes if each != common.me)
        if node not in (feed.asked, feed.parent):
            return
        partner.refused_until[feed.index] = now + common.spread(common.limits.refused_s)
        feed.hinted = names[: common.limits.hints]
        is_wanting = not feed.is_flowing() or node == feed.parent
        if is_wanting and not any(name in common.partners for name in feed.hinted):
            self._dial(feed.hinted[:2], now)
        if node == feed.asked:
            feed.asked = None
            partner.open &= ~(1 << feed.index)
            if not is_wanting and feed.climbing > 0:
                self._climbing.go_on(feed, now)
        if node == feed.parent:
            feed.leave_by = now + message.keep_ms / 1000
        self._seek_if_wanting(feed, now)

    def path_changed(self, partner: Partner, message: Path, now: float) -> None:
        common, feed, node = self._common, self.feeds[message.stripe], partner.node
        if feed.parent != node:
            return
        path = (node, *(NodeId(each) for each in message.ancestors))
        if self._is_loop(message.ancestors):
            is_mutual = node in self._children.capacity.of[feed.index]
            if is_mutual and moves(common.me, node, feed.index):
                self._children.remove(node, feed.index, is_linked=True)
                return
            common.counters.loops += 1
            partner.refused_until[feed.index] = now + common.spread(LOOP_S)
            common.send(node, Unsubscribe(common.live, feed.index))
            feed.lose_parent()
            self.seek(feed, now)
        elif path != feed.path:
            feed.path = path
            self._children.tell_path(feed.index)

    def _is_loop(self, ancestors: tuple[bytes, ...]) -> bool:
        return self._common.me in ancestors

    def held(self, partner: Partner, message: Hold, now: float) -> None:
        limits, feed = self._common.limits, self.feeds[message.stripe]
        if feed.parent != partner.node:
            return
        if now > feed.hold_until + limits.max_hold_s:
            feed.hold_since = now
        was_held = feed.hold_until > now
        feed.hold_until = min(now + limits.hold_s, feed.hold_since + limits.max_hold_s)
        if not was_held and feed.hold_until > now:
            self._children.tell_hold(feed.index)

    def lost(self, node: NodeId, now: float) -> None:
        """The link to a node is gone, or it takes part no more."""
        for feed in self.feeds:
            if feed.retiring == node:
                feed.retiring, feed.retire_at = None, math.inf
            if feed.asked == node:
                feed.asked = None
            if feed.parent == node:
                self._dial(feed.path[1:3], now)
                feed.lose_parent()
                feed.since = now
                self._common.counters.grafts += 1
                self._graft(feed, now)
            elif feed.parent is None and feed.asked is None:
                self.seek(feed, now)

    def suspected(self, node: NodeId, now: float) -> None:
        """It may be gone."""
        for feed in self.feeds:
            if feed.parent == node and not feed.is_silent:
                self._fell_silent(feed, now)

    # Parts.

    def pushed(self, partner: Partner, seq: int, now: float) -> bool:
        """A part came on a stream of this partner; whether its time tells how late the parent is:
        it is the newest from there, and nothing that was missed before."""
        feed = self.feeds[seq % self._common.stripes]
        if feed.parent != partner.node or seq <= feed.pushed:
            return False
        tells = feed.has_flowed and not feed.makes_up(seq, now, self._common.limits.jump_s)
        feed.pushed, feed.words = seq, 0
        feed.is_silent, feed.has_flowed = False, True
        self._release(feed)
        return tells

    def left_out(self, partner: Partner, seq: int) -> None:
        """The parent does not push this part, which is here: it lives. One that says so again and
        again, and not because the former parent is still there, leaves its work to others and
        counts as silent."""
        feed = self.feeds[seq % self._common.stripes]
        if feed.parent != partner.node or seq <= feed.pushed:
            return
        if feed.retiring is None:
            feed.words += 1
        if feed.words <= MAX_WORDS:
            feed.pushed, feed.is_silent = seq, False

    # Looking.

    def seek(self, feed: Feed, now: float) -> None:
        """Ask the best partner for this stripe, unless one is asked already."""
        common = self._common
        if common.is_source or feed.asked is not None:
            return
        excluded = [*self._children.capacity.of[feed.index]]
        if feed.parent is not None:
            excluded.append(feed.parent)
        slots = self._children.capacity.slots
        found = best_parent(common, self.feeds, feed, excluded, slots, now)
        if found is None and self._asks_anew(feed, now):
            return
        if found is None or (found[1] >= FULL_S and now < feed.walk_at):
            feed.seek_at = now + RETRY_S
            return
        if found[1] >= FULL_S:
            feed.walk_at = now + common.spread(WALK_S)
        self.ask(feed, found[0].node, found[0].rtt_s, found[0].edge, now)

    def _asks_anew(self, feed: Feed, now: float) -> bool:
        """With nobody else to ask, a parent that has been silent for long is asked once more: it
        may have lost no more than this stream."""
        common = self._common
        parent = common.partners.get(feed.parent) if feed.parent is not None else None
        if parent is None or not knows_no_other(common, feed, self._children.capacity):
            return False
        if not feed.is_silent or now < feed.silent_at + common.limits.silent_s:
            return False
        feed.silent_at = now
        self.ask(feed, parent.node, parent.rtt_s, parent.edge, now)
        return True

    def _seek_if_wanting(self, feed: Feed, now: float) -> None:
        if not feed.is_flowing() or feed.leave_by < math.inf:
            self.seek(feed, now)

    def ask(
        self,
        feed: Feed,
        node: NodeId,
        rtt_s: float,
        edge: int,
        now: float,
        *,
        is_climb: bool = False,
    ) -> None:
        """`edge`: of that node; used while nothing is here."""
        common = self._common
        feed.asked, feed.is_climb = node, is_climb
        feed.answer_by = now + common.limits.answer_s + 3 * rtt_s
        feed.asked_first = self._first(feed, edge)
        slots = self._children.capacity.slots
        common.send(node, Subscribe(common.live, feed.index, feed.asked_first, slots))

    def linked(self, node: NodeId, rtt_s: float, now: float) -> None:
        """A link to a node is up: where it was named to us as having room, ask it at once."""
        if self._common.window.edge < 0:
            return
        for feed in self.feeds:
            is_wanting = not feed.is_flowing() or feed.leave_by < math.inf
            is_climb = not is_wanting and (feed.climbing > 0 or node in feed.path)
            is_child = node in self._children.capacity.of[feed.index]
            if node not in feed.hinted or feed.asked is not None or is_child:
                continue
            if is_wanting or is_climb:
                self.ask(feed, node, rtt_s, -1, now, is_climb=is_climb)

    def climb(self, now: float, *, at_most: int) -> bool:
        """As Climbing.start."""
        return self._climbing.start(now, at_most=at_most)

    def _ask_above(self, feed: Feed, partner: Partner, now: float) -> None:
        self.ask(feed, partner.node, partner.rtt_s, partner.edge, now, is_climb=True)

    def turn_to(self, publisher: NodeId | None, now: float) -> bool:
        """Stripes without a parent for long are asked for at the publisher's node: the root knows
        who comes next. Whether there are such stripes."""
        wanting = [feed for feed in self.feeds if feed.parent is None and feed.asked is None]
        if publisher is None:
            return bool(wanting)
        partner = self._common.partners.get(publisher)
        for feed in wanting:
            if now - feed.since < LONG_S:
                continue
            if partner is None:
                feed.hinted = (*feed.hinted[:-1], publisher)
                self._dial((publisher,), now)
            elif partner.refused_until[feed.index] <= now:
                self.ask(feed, publisher, partner.rtt_s, partner.edge, now)
        return bool(wanting)

    def are_wanting(self) -> bool:
        """A stripe has no parent, or one that is silent or sends us away."""
        if self._common.is_source:
            return False
        return any(
            feed.parent is None or feed.is_silent or feed.leave_by < math.inf for feed in self.feeds
        )

    def are_poor(self) -> bool:
        """A stripe comes from a thin uplink: a keyframe takes it long."""
        common = self._common
        parents = [common.partners.get(f.parent) for f in self.feeds if f.parent is not None]
        return any(p is not None and p.slots < common.stripes for p in parents)

    def _first(self, feed: Feed, edge: int) -> int:
        """From which part on: the oldest that is missing and not asked for, else the next."""
        common, repair = self._common, self._repair
        stripes, window = common.stripes, common.window
        told = repair.told()
        if repair.is_behind(told):
            edge = max(edge, told)
        else:
            edge = window.edge
            if not feed.is_flowing():
                for seq in window.missing(repair.low(), edge):
                    if seq % stripes == feed.index and not repair.is_asked(seq):
                        return seq
        return edge + 1 + (feed.index - edge - 1) % stripes

    def check(self, told: int, now: float) -> float:
        """Act on what is overdue, `told` being the newest part that others have announced. Returns
        when to look again."""
        if self._common.is_source:
            return math.inf
        top = self._repair.top(told)
        return min(self._check(feed, top, now) for feed in self.feeds)

    def _check(self, feed: Feed, top: int, now: float) -> float:
        if feed.asked is not None and now >= feed.answer_by:
            self._no_answer(feed, now)
        if now >= feed.retire_at:
            self._release(feed)
        if feed.parent is not None and now >= feed.leave_by:
            feed.lose_parent()
        again = min(feed.retire_at, feed.leave_by)
        if feed.is_silent:
            again = min(again, self._still_silent(feed, now))
        is_wanting = feed.parent is None or feed.is_silent or feed.leave_by < math.inf
        if is_wanting and feed.asked is None and now >= feed.seek_at:
            self.seek(feed, now)
        if is_wanting or feed.asked is not None:
            again = min(again, feed.look_at())
        if feed.parent is not None and not feed.is_silent:
            overdue_at = self._overdue_at(feed, top, now)
            if now >= overdue_at:
                self._fell_silent(feed, now)
                return min(again, now + RETRY_S)
            again = min(again, overdue_at)
        return again

    def _no_answer(self, feed: Feed, now: float) -> None:
        partner = self._common.partners.get(feed.asked) if feed.asked is not None else None
        if partner is not None:
            partner.refused_until[feed.index] = now + self._common.spread(
                2 * self._common.limits.refused_s
            )
        feed.asked = None
        self._seek_if_wanting(feed, now)

    def _overdue_at(self, feed: Feed, top: int, now: float) -> float:
        """When the parent counts as silent; never, unless parts are known that it owes."""
        common, limits = self._common, self._common.limits
        owed = feed.pushed + common.stripes
        if owed > top:
            return math.inf
        patience = limits.silence_s + 1.5 * common.cadence.jitter_s[feed.index]
        if not common.window.has(owed):  # nobody else has given it: all of us may be late
            patience += common.stripes * common.part_s
        due = max(common.cadence.expected(owed, feed.since), feed.since)
        if not feed.has_flowed:
            patience = max(patience, 2.5 * common.part_s * common.stripes)
        return max(due + patience, feed.hold_until)

    def _fell_silent(self, feed: Feed, now: float) -> None:
        """The silent one is remembered, and another parent asked."""
        common = self._common
        feed.is_silent, feed.silent_at = True, now
        common.counters.grafts += 1
        partner = common.partners.get(feed.parent) if feed.parent is not None else None
        if partner is not None:
            self._partners.fell_silent(partner, feed.index, now)
        self._graft(feed, now)

    def _graft(self, feed: Feed, now: float) -> None:
        """Ask another parent; children are told to wait. Not if everybody whom we know is among
        them: then one of them may know somebody else, and we are fed from there."""
        self.seek(feed, now)
        if not knows_no_other(self._common, feed, self._children.capacity):
            self._children.tell_hold(feed.index)

    def _still_silent(self, feed: Feed, now: float) -> float:
        """No hiccup: it is avoided from now on, but fed from until another one is found."""
        failed_at = feed.silent_at + self._common.limits.silent_s
        if now < failed_at:
            return failed_at
        partner = self._common.partners.get(feed.parent) if feed.parent is not None else None
        if partner is not None:
            self._partners.failed(partner, "a stripe that it accepted stands still", now)
        return math.inf

    def overslept(self, now: float) -> None:
        """This node stood still, a laptop with its lid closed: nobody else is to blame, and what
        was sent meanwhile tells nothing of the usual delay."""
        common = self._common
        end = common.cadence.due_by(now) + 1
        for feed in self.feeds:
            feed.since, feed.is_silent = now, False
            first = feed.pushed + common.stripes
            feed.missed = range(first, max(feed.missed.stop, end), common.stripes)

    def leave(self) -> None:
        for feed in self.feeds:
            for node in {feed.parent, feed.retiring, feed.asked} - {None}:
                if node is not None:
                    self._let_go(node, feed.index)
            feed.parent = feed.retiring = feed.asked = None
