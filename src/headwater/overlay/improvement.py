"""Whether another parent would be better for a stripe that flows, and for long enough. Pure.

Eagerness costs: every change sends new paths to a whole subtree. So another parent must be earlier
by better_s, for better_for_s without a break, and changes are switch_s apart. What is earlier by a
multiple of better_s waits that much less: a slow parent is left as one that fails. In the first
seconds after a join, or after a break of the whole live, nodes find their places: a tenth of it."""

import math

from headwater.overlay.capacity import Capacity
from headwater.overlay.choice import best_parent, repeats_s
from headwater.overlay.common import Common
from headwater.overlay.feed import Feed
from headwater.overlay.partner import Partner

__all__ = ["Improvement"]

YOUNG = 0.1
DOUBT_S = 0.15
"""A single announcement may come so long after the part."""


class Improvement:
    """Looks at one stripe after the other, at each tick."""

    def __init__(self, common: Common, feeds: list[Feed], capacity: Capacity, now: float) -> None:
        self._common, self._feeds, self._capacity = common, feeds, capacity
        self._born_at, self._switched_at = now, -math.inf
        self._climbed_at = -math.inf

    def is_young(self, now: float) -> bool:
        return now - self._born_at < self._common.limits.young_s

    def begin(self, now: float) -> None:
        """Everything starts over."""
        self._born_at = now

    def may_climb(self, now: float) -> bool:
        """Every few ticks; while the place in the tree is new, at each."""
        return self.is_young(now) or now - self._climbed_at > self._common.limits.climb_s

    def climbed(self, now: float) -> None:
        self._climbed_at = now

    def due(self, now: float) -> tuple[Feed, Partner] | None:
        """The stripe to move, and to whom; at most one at a time."""
        limits = self._common.limits
        scale = YOUNG if self.is_young(now) else 1.0
        for feed in self._feeds:
            found = self._better(feed, now)
            if found is None:
                feed.better = None
                continue
            partner, gain_s = found
            if feed.better != partner.node:
                feed.better, feed.better_since = partner.node, now
            haste = scale * limits.better_s / gain_s
            if now - feed.better_since < limits.better_for_s * haste:
                continue
            if now - self._switched_at < limits.switch_s * haste:
                continue
            self._switched_at = now
            feed.better = None
            return feed, partner
        return None

    def _better(self, feed: Feed, now: float) -> tuple[Partner, float] | None:
        if not feed.is_flowing() or not feed.has_flowed or feed.asked is not None:
            return None
        excluded = [*self._capacity.of[feed.index], feed.parent]
        slots = self._capacity.slots
        found = best_parent(self._common, self._feeds, feed, excluded, slots, now, doubt_s=DOUBT_S)
        if found is None:
            return None
        parent = self._common.partners.get(feed.parent) if feed.parent is not None else None
        partner, cost_s = found
        gain_s = (repeats_s(parent) if parent is not None else 0.0) - cost_s
        return (partner, gain_s) if gain_s >= self._common.limits.better_s else None
