"""Who is strong belongs near the source: how a node gets nearer. Pure.

It asks one of its ancestors for a place. An ancestor that has none names children of its own below
which there may be one, and the node goes on there, for as long as it ends up nearer than it is."""

from collections.abc import Callable

from headwater.overlay.capacity import Capacity, gives_way
from headwater.overlay.common import Common
from headwater.overlay.feed import Feed
from headwater.overlay.partner import Partner
from headwater.wire.ids import NodeId

__all__ = ["Climbing"]


class Climbing:
    """`ask` asks a partner for a stripe, `dial` links to nodes."""

    def __init__(
        self,
        common: Common,
        feeds: list[Feed],
        capacity: Capacity,
        ask: Callable[[Feed, Partner, float], None],
        dial: Callable[[tuple[NodeId, ...], float], None],
    ) -> None:
        self._common, self._feeds, self._capacity = common, feeds, capacity
        self._ask, self._dial = ask, dial

    def start(self, now: float, *, at_most: int) -> bool:
        """Ask an ancestor, the parent excepted, unless it is sure that nobody there would give way;
        the deepest stripes first. Whether it was tried."""
        deep = [feed for feed in self._feeds if self._may_climb(feed)]
        deep.sort(key=lambda feed: -len(feed.path))
        return any([self._climb(feed, now) for feed in deep[:at_most]])

    def _may_climb(self, feed: Feed) -> bool:
        return feed.is_flowing() and feed.asked is None and len(feed.path) > 1

    def _climb(self, feed: Feed, now: float) -> bool:
        common, capacity = self._common, self._capacity
        parent = common.partners.get(feed.parent) if feed.parent is not None else None
        is_upside_down = parent is not None and self._is_weaker(parent.slots)
        if not is_upside_down and capacity.slots < common.stripes:
            return False
        place = 1 if is_upside_down else common.rng.choice(range(1, len(feed.path)))
        above = feed.path[place]
        feed.climbing = place - 1
        if above in capacity.of[feed.index]:
            return False
        partner = common.partners.get(above)
        if partner is None:
            feed.hinted = (above,)
            self._dial(feed.hinted, now)
            return True
        has_room = partner.open >> feed.index & 1 or self._is_weaker(partner.weakest)
        if self._is_open(partner, feed, now) and (has_room or feed.climbing):
            self._ask(feed, partner, now)
            return True
        return False

    def go_on(self, feed: Feed, now: float) -> None:
        """An ancestor has no place for us: one of those it names may, below it."""
        feed.climbing -= 1
        for name in feed.hinted:
            partner = self._common.partners.get(name)
            if name in feed.path[:1] or name in self._capacity.of[feed.index]:
                continue
            if partner is None:
                feed.hinted = (name,)
                self._dial(feed.hinted, now)
                return
            if self._is_open(partner, feed, now):
                self._ask(feed, partner, now)
                return

    def _is_open(self, partner: Partner, feed: Feed, now: float) -> bool:
        return partner.refused_until[feed.index] <= now and partner.avoid_until <= now

    def _is_weaker(self, slots: int) -> bool:
        return gives_way(slots, self._capacity.slots, self._common.limits)
