"""Holes are pulled from whoever has the part: soon, once at a time, within a budget. Pure."""

import math
from dataclasses import dataclass

from headwater.overlay.capacity import Capacity
from headwater.overlay.choice import knows_no_other
from headwater.overlay.commands import Pull
from headwater.overlay.common import Common
from headwater.overlay.delivery import Delivery
from headwater.overlay.feed import Feed
from headwater.overlay.partner import Partner
from headwater.wire.ids import NodeId

__all__ = ["Repair"]

MAX_TRIED = 16
MAX_GUESSES = 2
"""Nodes asked for a part that they have not announced but should have."""
JITTERS, MARGIN_S = 1.35, 0.02
"""Later than hardly ever, and some."""
GUESS_COST_S, PARENT_COST_S, QUIET_COST_S, FALSE_COST_S = 0.1, 0.3, 0.5, 1.0
"""How much slower an answer may be from one who has announced the part, is not the late parent, has
not fallen quiet, has kept its word, before another is asked."""
QUIET_PARTS = 2
"""Announcements come so many parts later than have_s after the last, at most: who is quiet for
longer may be dead. When many die at once, one in three of those who may be asked is."""
LEAST_PATIENCE_S = 0.06
"""For an answer, plus a round trip."""
GUESS_S = 1.0
"""For a guess, its edge must have grown since."""
FASTEST = 2
"""Numbers grow at most so many times faster than one a part's length: a keyframe takes several."""
RETRY_S = 0.05
"""Until somebody may have it whom nobody had when we looked."""
BUSY_S = 0.1
"""Before a part is asked for again that a node has and cannot give: it may be on its way by then to
those who feed us."""
FALSE_CLAIMS = 4
"""Parts promised and not given, after which a node's announcements count for nothing."""


@dataclass(slots=True, eq=False)
class _Pulling:
    """One part under way: from whom, how long we wait at most, and if it is quiet; whom we asked
    before."""

    node: NodeId | None
    until: float
    quiet_until: float = math.inf
    tried: tuple[NodeId, ...] = ()


class Repair:
    """Which parts are asked of whom. Shape: at most limits.pulls parts at a time."""

    def __init__(
        self, common: Common, feeds: list[Feed], capacity: Capacity, delivery: Delivery
    ) -> None:
        self._common, self._feeds, self._capacity = common, feeds, capacity
        self._delivery = delivery
        self._asked: dict[int, _Pulling] = {}
        self._budget, self._budget_at = math.inf, 0.0
        self.urgent_below = 0
        """Holes below are of the burst at a join: not late, but wanted at once."""

    def low(self) -> int:
        """The oldest part that still matters; -1 while nothing has come."""
        return max(self._delivery.next, self._delivery.start)

    def is_asked(self, seq: int) -> bool:
        pulling = self._asked.get(seq)
        return pulling is not None and pulling.node is not None

    def began(self, group: int, top: int) -> None:
        """The first part has come: fetch its group up to what exists."""
        self._delivery.start, self.urgent_below = group, top + 1

    def arrived(self, seq: int) -> None:
        pulling = self._asked.pop(seq, None)
        if pulling is not None and pulling.node is not None:
            self._unload(pulling.node)

    def pulled(
        self, node: NodeId, seqs: tuple[int, ...], now: float, *, is_busy: bool = False
    ) -> None:
        """The answer has ended: what did not come is asked for elsewhere; in a moment, where the
        node has it and enough to do."""
        partner = self._common.partners.get(node)
        for seq in seqs:
            pulling = self._asked.get(seq)
            if pulling is None or pulling.node != node:
                continue
            self._unload(node)
            pulling.node, pulling.until = None, now
            if is_busy:
                pulling.until = now + BUSY_S
            elif partner is not None and partner.lacks(seq):
                partner.false_claims += 1

    def lost(self, node: NodeId, now: float) -> None:
        for pulling in self._asked.values():
            if pulling.node == node:
                pulling.node, pulling.until = None, now

    def _unload(self, node: NodeId) -> None:
        partner = self._common.partners.get(node)
        if partner is not None and partner.load > 0:
            partner.load -= 1

    def told(self) -> int:
        """The newest part that believable partners have announced; -1 for none."""
        partners = self._common.partners.values()
        return max((p.edge for p in partners if p.false_claims < FALSE_CLAIMS), default=-1)

    def top(self, told: int) -> int:
        """The newest part that we may be late with: of ours, and of what was announced, unless that
        is far ahead."""
        common, edge = self._common, self._common.window.edge
        ahead = int(common.limits.deadline_s / common.part_s) + common.stripes
        return told if edge < 0 else max(edge, min(told, edge + ahead))

    def is_behind(self, told: int) -> bool:
        """Others are so far ahead that we should start over there."""
        common = self._common
        return told - common.window.edge > common.limits.jump_s / common.part_s

    def _can_be(self, told: int, now: float) -> bool:
        """Whether that many parts can have been made since the newest came that is here."""
        common, edge = self._common, self._common.window.edge
        came = common.arrivals.when(edge)
        return came is not None and told - edge <= FASTEST * (now - came) / common.part_s

    def plan(self, told: int, now: float) -> float:
        """Pull what is due. Returns when to look again."""
        common, limits = self._common, self._common.limits
        low, top = self.low(), self.top(told)
        if common.is_source or top < 0:
            return math.inf
        if low < 0:
            low = top
        is_behind = self.is_behind(told) and told > top
        if is_behind and self._can_be(told, now):
            top = common.window.edge  # nothing of what lies between: we start over there
        wanted = common.window.missing(low, top)
        if is_behind:
            wanted.append(told)
        self._add_init(wanted)
        if not wanted and not self._asked:
            return math.inf
        again = math.inf
        later: set[int] = set()
        batches: dict[NodeId, list[int]] = {}
        for seq in wanted:
            at, partner = self._consider(seq, later, now)
            again = min(again, at)
            if partner is None:
                continue
            batches.setdefault(partner.node, []).append(seq)
            if len(self._asked) >= limits.pulls:
                break
        for node, seqs in batches.items():
            for place in range(0, len(seqs), limits.parts_per_pull):
                some = tuple(seqs[place : place + limits.parts_per_pull])
                common.out.append(Pull(node, some))
                common.counters.pulls += 1
        self._forget(low)
        return again

    def _add_init(self, wanted: list[int]) -> None:
        """The init of the newest part, when it is older than all that."""
        window = self._common.window
        init = window.init
        if init >= 0 and init not in window.inits and init not in wanted:
            wanted.insert(0, init)
            self.urgent_below = max(self.urgent_below, init + 1)

    def _consider(self, seq: int, later: set[int], now: float) -> tuple[float, Partner | None]:
        """From whom to pull it now, or when to look again. `later`: stripes of which an older part
        is not due yet; this adds to them."""
        pulling = self._asked.get(seq)
        if pulling is not None and now < (until := self._waits_until(pulling)):
            return until, None
        stripe = seq % self._common.stripes
        if stripe in later:
            return math.inf, None
        due = self._due_at(seq, now)
        if due > now:
            if seq not in self._feeds[stripe].missed:
                later.add(stripe)
            return due, None
        if not self._can_afford(now):
            return now + self._common.part_s / self._common.limits.repair_share, None
        if pulling is None:
            if len(self._asked) >= self._common.limits.pulls:
                return now + RETRY_S, None
            pulling = _Pulling(None, now)
        tried = pulling.tried
        if pulling.node is not None:
            self._unload(pulling.node)
        partner = self._pick(seq, tried, now)
        if partner is None:
            if pulling.node is not None or tried:
                self._asked[seq] = _Pulling(None, now + RETRY_S)
            return now + RETRY_S, None
        limits = self._common.limits
        patience = max(limits.pull_s, 2 * partner.answer_s(self._common.part_s))
        until = now + min(patience, limits.max_pull_s) + partner.rtt_s
        quiet_until = now + LEAST_PATIENCE_S + partner.rtt_s
        tried = (*tried, partner.node)[-MAX_TRIED:]
        pulling = self._asked[seq] = _Pulling(partner.node, until, quiet_until, tried)
        partner.load += 1
        self._budget -= 1.0
        return self._waits_until(pulling), partner

    def _waits_until(self, pulling: _Pulling) -> float:
        partner = self._common.partners.get(pulling.node) if pulling.node is not None else None
        if partner is None:
            return pulling.until
        return min(pulling.until, max(pulling.quiet_until, self._quiet_at(partner)))

    def _quiet_at(self, partner: Partner) -> float:
        """When it should have said something."""
        return partner.alive_at + self._common.limits.have_s + QUIET_PARTS * self._common.part_s

    def _can_afford(self, now: float) -> bool:
        """A token bucket, of parts."""
        limits, part_s = self._common.limits, self._common.part_s
        grown = self._budget + (now - self._budget_at) * limits.repair_share / part_s
        self._budget, self._budget_at = min(grown, limits.repair_burst_s / part_s), now
        return self._budget >= 1.0

    def _due_at(self, seq: int, now: float) -> float:
        if seq < self.urgent_below or self._common.window.edge < 0:
            return -math.inf
        common, limits = self._common, self._common.limits
        stripe = seq % common.stripes
        feed = self._feeds[stripe]
        due = common.cadence.expected(seq, now)
        due += max(limits.hole_s, JITTERS * common.cadence.jitter_s[stripe] + MARGIN_S)
        if feed.hold_until > now:
            due += limits.hold_pull_s
        parent = common.partners.get(feed.parent) if feed.is_flowing() and feed.parent else None
        if parent is not None:
            # a packet repeated, a keyframe: the late part comes sooner than a pull would bring it
            service_s = parent.service_s(common.part_s, limits.uplink_share)
            due += 2 * parent.rtt_s + service_s
            if feed.makes_up(seq, now, limits.jump_s):
                begun = feed.since + limits.hole_s + 2 * parent.rtt_s
                due = max(due, begun + (1 + feed.missed.index(seq)) * service_s)
        return due

    def _pick(self, seq: int, tried: tuple[NodeId, ...], now: float) -> Partner | None:
        """Who says that it has it, else who should have it by now; the least loaded."""
        common = self._common
        parent = self._feeds[seq % common.stripes].parent
        may_guess = len(tried) < MAX_GUESSES and seq <= common.window.edge
        best, best_s = None, math.inf
        for partner in common.partners.values():
            has_it = partner.has(seq)
            if not has_it and not (may_guess and self._should_have(partner, seq, now)):
                continue
            if partner.node in tried or partner.avoid_until > now:
                continue
            cost = partner.answer_s(common.part_s)
            if not has_it:
                cost += GUESS_COST_S
            if partner.node == parent:
                cost += PARENT_COST_S
            if now > self._quiet_at(partner):
                cost += QUIET_COST_S
            if partner.false_claims >= FALSE_CLAIMS:
                cost += FALSE_COST_S
            if cost < best_s:
                best, best_s = partner, cost
        return best

    def _should_have(self, partner: Partner, seq: int, now: float) -> bool:
        """A guess, where it has not announced the part, and others have newer ones. An only
        neighbour announces nothing to whom it feeds everything."""
        silent_s = now - partner.heard_at
        if silent_s > GUESS_S or partner.edge + silent_s / self._common.part_s < seq + 1:
            return False
        stripe = seq % self._common.stripes
        feed, waits_for_us = self._feeds[stripe], partner.node in self._capacity.of[stripe]
        is_only = feed.hold_until <= now and knows_no_other(self._common, feed, self._capacity)
        return not waits_for_us and (is_only or partner.is_fresh(stripe))

    def _forget(self, low: int) -> None:
        """Nobody waits any more for what lies below."""
        if len(self._asked) > self._common.limits.pulls // 2:
            init = self._common.window.init
            for seq in [s for s in self._asked if s < low and s != init]:
                self.arrived(seq)
