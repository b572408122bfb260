"""Which neighbour should feed a stripe. Pure."""

from collections.abc import Iterable

from headwater.overlay.capacity import Capacity, gives_way
from headwater.overlay.common import Common
from headwater.overlay.feed import Feed
from headwater.overlay.partner import Partner
from headwater.wire.ids import NodeId

__all__ = ["FULL_S", "best_parent", "cost_s", "knows_no_other"]

FULL_S = 1.0
"""What it seems to cost to ask a node without a free slot: the others first."""
DISPLACE_S = 0.1
"""The same, when we are strong enough to be taken in all the same: somebody else has to move."""
HINTED_S = 0.5
"""Who was named by a parent that sends us away is expected to have room."""
STALE_S = 1.5
"""Whose edge has not grown for so long has no feed itself, or tells us nothing..."""
SAID_S = 3.0
"""...but that it has one, so long ago at most."""
REPEATED = 0.3
"""Of the parts wait for a packet that was lost, where one in a hundred is."""
UNKNOWN_S = 0.25
"""It is thought to be that much later than we are."""


def cost_s(common: Common, partner: Partner, feed: Feed, first_lag_s: float, now: float) -> float:
    """How much later than now parts would come from this partner. Units: seconds; a guess as long
    as it has announced little. `first_lag_s`: what to compare with before anything has come."""
    late = partner.lateness_s[feed.index]
    if now - partner.heard_at > STALE_S:
        late = UNKNOWN_S
    elif late is None:
        own_lag_s = common.cadence.lag_s(feed.index)
        late = lag_s(common, partner) - (first_lag_s if own_lag_s is None else own_lag_s)
    return late + repeats_s(partner) + partner.service_s(common.part_s, common.limits.uplink_share)


def repeats_s(partner: Partner) -> float:
    """What lost packets cost in the mean: each of them a round trip."""
    return REPEATED * partner.rtt_s


def lag_s(common: Common, partner: Partner) -> float:
    """When its edge was known to us, from that part's place in the media: comparable between
    partners, though it may have had it for a while."""
    return partner.heard_at - common.cadence.pts_s(partner.edge)


def is_able(common: Common, partner: Partner, feed: Feed, now: float) -> bool:
    """It has the stripe as fresh as we know it, and has not turned us away lately."""
    stripe, edge = feed.index, common.window.edge
    if not partner.flows >> stripe & 1 or partner.refused_until[stripe] > now:
        return False
    if now - partner.heard_at > STALE_S:  # it announces to others; so its word must do
        return edge >= 0 and now - partner.said_at < SAID_S
    if not partner.is_fresh(stripe):
        return False
    return partner.edge >= edge - common.limits.behind_s / common.part_s


def knows_no_other(common: Common, feed: Feed, capacity: Capacity) -> bool:
    """Than the stripe's parent and those whom we feed it."""
    return common.partners.keys() <= {feed.parent, *capacity.of[feed.index]}


def best_parent(
    common: Common,
    feeds: list[Feed],
    feed: Feed,
    excluded: Iterable[NodeId | None],
    slots: int,
    now: float,
    *,
    doubt_s: float = 0.0,
) -> tuple[Partner, float] | None:
    """The partner that costs the least, and its cost in seconds. `slots`: our own. `doubt_s`: added
    where the lateness is not known yet."""
    limits = common.limits
    best: Partner | None = None
    best_s = float("inf")
    able = [p for p in common.partners.values() if is_able(common, p, feed, now)]
    able = [p for p in able if p.avoid_until <= now] or able
    first_lag_s = min((lag_s(common, p) for p in able if p.edge >= 0), default=0.0)
    for partner in able:
        if partner.node in excluded:
            continue
        cost = cost_s(common, partner, feed, first_lag_s, now)
        if partner.lateness_s[feed.index] is None:
            cost += doubt_s
        if not partner.open >> feed.index & 1:
            is_strong = gives_way(partner.weakest, slots, limits)
            cost += DISPLACE_S if is_strong else FULL_S
        if partner.node in feed.hinted:
            cost -= HINTED_S
        if not partner.is_root:
            same = sum(1 for f in feeds if f is not feed and partner.node in (f.parent, f.asked))
            cost += same * limits.same_parent_s
        if cost < best_s:
            best, best_s = partner, cost
    return (best, best_s) if best is not None else None
