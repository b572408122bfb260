"""How many children a node feeds, who gives way to whom. Pure.

A slot is one stripe to one child. Capacity comes first: a joiner that can serve at least
`displace_ratio` times as much as a child takes that child's place and adopts it, so that weak
uplinks end up as leaves; with a rule by delay alone, weak nodes fill the first slots and starve
everybody behind them."""

import math
from dataclasses import dataclass

from headwater.overlay.limits import Limits
from headwater.wire.ids import NodeId

__all__ = ["DRAINED_S", "NOBODY", "Capacity", "Child", "gives_way"]

RELAY_SPREAD = 2
DRAINED_S = 0.05
"""A backlog that has become so much less goes by itself."""
NOBODY = 2**16
"""As `weakest` in LiveJoin: no child gives way."""


def gives_way(weaker: int, slots: int, limits: Limits) -> bool:
    """Whether a child with `weaker` slots makes place for a node with `slots`."""
    return max(1, weaker * limits.displace_ratio) <= slots


def _at_a_time(slots: int) -> int:
    """So many children may be leaving."""
    return max(1, slots // 4)


@dataclass(slots=True, eq=False)
class Child:
    """One stripe to one child. `leaving_at`: handed over, fed until then. `is_suspected`: it may be
    gone, `is_probed`: and has got the part by which it can show that it is not. `slow_since`: its
    parts have waited for too long since then, `slow_from_s`: so long at that time."""

    node: NodeId
    stripe: int
    first: int
    slots: int
    leaving_at: float = math.inf
    is_suspected: bool = False
    is_probed: bool = False
    slow_since: float = math.inf
    slow_from_s: float = 0.0

    @property
    def is_staying(self) -> bool:
        return self.leaving_at == math.inf


class Capacity:
    """Slots and who has them. Shape: at most `slots` children stay; those handed over are at most
    a quarter more, and leave soon."""

    def __init__(
        self, stripes: int, part_s: float, slots: int, limits: Limits, *, is_source: bool
    ) -> None:
        self._limits, self._stripes, self._is_source = limits, stripes, is_source
        self._part_s = part_s
        self.of: list[dict[NodeId, Child]] = [{} for _ in range(stripes)]
        self.targets: list[tuple[NodeId, ...]] = [()] * stripes
        self.used = self.leaving = self.suspected = 0
        self.weakest = NOBODY
        """Slots of the weakest child."""
        self._withheld, self._calm_at = 0, math.inf
        self.given = 0
        self.slots = 0
        self.set_uplink(slots)

    @property
    def free(self) -> int:
        return max(0, self.slots - self.used)

    def set_uplink(self, slots: int) -> None:
        """Measured or configured. A source has to let every stripe out at least once."""
        self.given = max(slots, self._stripes) if self._is_source else max(0, slots)
        self._settle()

    def _settle(self) -> None:
        least = self._stripes if self._is_source else 0
        self.slots = max(least, self.given - self._withheld)

    def has_room(self, stripe: int) -> bool:
        """Slots are spread over the stripes, where there are enough: a stripe without relays
        starves while others have slots left. A source spreads them evenly; half of a relay's may
        be of one stripe, which makes the trees less deep."""
        if self.used >= self.slots:
            return False
        share = -(-self.slots // (self._stripes if self._is_source else RELAY_SPREAD))
        staying = sum(child.is_staying for child in self.of[stripe].values())
        return self.slots < self._stripes or staying < share

    def open_stripes(self) -> int:
        """Bit i: has_room(i)."""
        if not self.free:
            return 0
        return sum(1 << stripe for stripe in range(self._stripes) if self.has_room(stripe))

    def add(self, node: NodeId, stripe: int, first: int, slots: int) -> Child:
        child = self.of[stripe][node] = Child(node, stripe, first, slots)
        self.used += 1
        self._order(stripe)
        return child

    def _order(self, stripe: int) -> None:
        """Strong children first: more wait behind them."""
        children = sorted(self.of[stripe].values(), key=lambda child: -child.slots)
        self.targets[stripe] = tuple(child.node for child in children)
        self._find_weakest()

    def _find_weakest(self) -> None:
        self.weakest = min((c.slots for c in self._staying()), default=NOBODY)

    def _staying(self) -> list[Child]:
        return [c for each in self.of for c in each.values() if c.is_staying]

    def remove(self, node: NodeId, stripe: int) -> bool:
        child = self.of[stripe].pop(node, None)
        if child is None:
            return False
        if not child.is_staying:
            self.leaving -= 1
            self.suspected -= child.is_suspected
        else:
            self.used -= 1
        self._order(stripe)
        return True

    def hand_over(self, child: Child, until: float, *, is_suspected: bool = False) -> None:
        if child.is_staying:
            self.used -= 1
            self.leaving += 1
        self.suspected += is_suspected - child.is_suspected
        child.leaving_at, child.is_suspected, child.is_probed = until, is_suspected, False
        self._find_weakest()

    def take_back(self, child: Child) -> None:
        if not child.is_staying:
            self.used += 1
            self.leaving -= 1
        self.suspected -= child.is_suspected
        child.leaving_at, child.is_suspected, child.is_probed = math.inf, False, False
        self._find_weakest()

    def weaker(self, stripe: int, slots: int) -> Child | None:
        """The child of this stripe that should make place for a joiner with so many slots."""
        staying = [child for child in self.of[stripe].values() if child.is_staying]
        weakest = min(staying, key=lambda child: child.slots, default=None)
        if weakest is None or not gives_way(weakest.slots, slots, self._limits):
            return None
        return weakest

    def oldest_leaving(self) -> Child | None:
        """Whose time is up first, when as many leave as may at a time."""
        if self.leaving < _at_a_time(self.slots):
            return None
        leaving = [c for each in self.of for c in each.values() if not c.is_staying]
        return min(leaving, key=lambda child: child.leaving_at)

    def surplus(self) -> Child | None:
        """The weakest child, when there are more than slots."""
        if self.used <= self.slots:
            return None
        return min(self._staying(), key=lambda child: child.slots, default=None)

    def stripes_of(self, node: NodeId) -> list[int]:
        return [stripe for stripe, children in enumerate(self.of) if node in children]

    def backlogged(self, node: NodeId, stripe: int, delay_s: float, now: float) -> Child | None:
        """Note how long this child's oldest part waits. When that is too long for too long, returns
        the weakest of those that wait so, which may be better off elsewhere; a slot is withheld as
        well, for the uplink may be to blame."""
        child = self.of[stripe].get(node)
        if child is None:
            return None
        if delay_s < max(self._limits.backlog_s, self._stripes * self._part_s):
            child.slow_since = math.inf
            return None
        if child.slow_since == math.inf or self._will_pass(child, delay_s):
            child.slow_since, child.slow_from_s = now, delay_s
        if now - child.slow_since < self._limits.backlog_for_s or not child.is_staying:
            return None
        is_kept = self._is_bare() and self._are_slow()
        if self._withheld < self.given // 2:
            self._withheld += 1
        self._calm_at = now + self._limits.calm_s
        self._settle()
        child.slow_since = now
        if is_kept:
            return None
        slow = [c for c in self._staying() if now - c.slow_since >= self._limits.backlog_for_s]
        weakest = min((child, *slow), key=lambda each: each.slots)
        weakest.slow_since = math.inf
        return weakest

    def _will_pass(self, child: Child, delay_s: float) -> bool:
        """The backlog goes by itself: it has become less, or more are fed than there are slots for
        until some have left, or as many leave as should at a time."""
        if delay_s < child.slow_from_s - DRAINED_S:
            return True
        is_crowded = self.leaving > max(0, self.given - self.used)
        return is_crowded or self.leaving >= _at_a_time(self.given)

    def _is_bare(self) -> bool:
        """Every stripe is let out once, and has to be: to send a child elsewhere helps nobody."""
        return self._is_source and self.used <= self._stripes

    def _are_slow(self) -> bool:
        """Most children wait: it is the uplink and no child."""
        return 2 * sum(child.slow_since < math.inf for child in self._staying()) > self.used

    def tick(self, now: float) -> list[Child]:
        """Give withheld slots out again after calm; returns handed-over children whose time is
        up."""
        if now >= self._calm_at and self._withheld:
            self._withheld -= 1
            self._calm_at = now + self._limits.calm_s
            self._settle()
        if not self.leaving:
            return []
        return [c for each in self.of for c in each.values() if c.leaving_at <= now]
