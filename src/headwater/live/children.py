"""All that this node pushes of one live: a feed for each child and stripe."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from headwater.live.counters import LiveCounters
from headwater.live.limits import LiveLimits
from headwater.live.part import LivePart
from headwater.live.port import Neighbour
from headwater.live.push import ChildFeed
from headwater.live.ring import Ring
from headwater.wire.ids import LiveId, NodeId, short_id

__all__ = ["Children"]

_STEP_S = 0.02
"""A smaller change of backlog is not worth telling."""


class Children:
    """Belongs to the loop's thread; feeds run in `group`."""

    def __init__(
        self,
        live: LiveId,
        stripes: int,
        ring: Ring,
        group: asyncio.TaskGroup,
        counters: LiveCounters,
        limits: LiveLimits,
        patience_s: float,
        clock: Callable[[], float],
        suspect: Callable[[NodeId, bool], None],
    ) -> None:
        """`suspect`: as ChildFeed's, of which child."""
        self._live, self._stripes, self._ring, self._group = live, stripes, ring, group
        self._counters, self._limits, self._clock = counters, limits, clock
        self._patience_s, self._suspect = patience_s, suspect
        self._feeds: dict[tuple[NodeId, int], tuple[ChildFeed, asyncio.Task[None]]] = {}
        self._told: dict[tuple[NodeId, int], float] = {}

    def __len__(self) -> int:
        return len(self._feeds)

    def start(self, neighbour: Neighbour, stripe: int, first: int) -> None:
        """Push what is kept of the stripe from `first` on, unless that is late, then what `push`
        says: who needs what is older asks for it."""
        self.stop(neighbour.node, stripe)
        feed = ChildFeed(
            *(neighbour, self._live, stripe, self._counters, self._limits, self._patience_s),
            self._clock,
            partial(self._suspect, neighbour.node),
        )
        for part in self._of(stripe, self._first_in_time(first)):
            feed.put(part)
        name = f"live.push.{short_id(neighbour.node)}.{stripe}"
        task = self._group.create_task(feed.run(), name=name)
        self._feeds[neighbour.node, stripe] = feed, task

    def stop(self, node: NodeId, stripe: int) -> None:
        self._told.pop((node, stripe), None)
        found = self._feeds.pop((node, stripe), None)
        if found is not None:
            found[1].cancel()

    def stop_all(self, node: NodeId | None = None) -> None:
        """Of one child, or of all."""
        for child, stripe in list(self._feeds):
            if node is None or child == node:
                self.stop(child, stripe)

    def push(self, part: LivePart, nodes: Sequence[NodeId]) -> None:
        stripe = part.seq % self._stripes
        for node in nodes:
            found = self._feeds.get((node, stripe))
            if found is not None:
                found[0].put(part)

    def leave_out(self, node: NodeId, seqs: Sequence[int]) -> None:
        """This child has these parts already."""
        for stripe in {seq % self._stripes for seq in seqs}:
            found = self._feeds.get((node, stripe))
            if found is not None:
                found[0].leave_out(seq for seq in seqs if seq % self._stripes == stripe)

    def check(self, now: float) -> list[tuple[NodeId, int, float]]:
        """Skip those that are too slow. Returns whose backlog has changed: child, stripe,
        seconds."""
        changed: list[tuple[NodeId, int, float]] = []
        least_group = self._least_group()
        for (node, stripe), (feed, _) in self._feeds.items():
            delay_s = feed.delay_s(now)
            if abs(delay_s - self._told.get((node, stripe), 0.0)) >= _STEP_S:
                self._told[node, stripe] = delay_s
                changed.append((node, stripe, delay_s))
            if feed.is_late(now):
                feed.skip(least_group, now)
        return changed

    def waits_s(self, now: float) -> Sequence[float]:
        """For each child and stripe, as ChildFeed's."""
        return [feed.waits_s(now) for feed, _ in self._feeds.values()]

    def _first_in_time(self, first: int) -> int:
        """Where to begin for a child that asks for what is there from `first` on: at the newest
        keyframe, when that is late."""
        edge, key = self._ring.get(self._ring.edge), self._ring.newest_key()
        if edge is None or key is None:
            return first
        wanted = next(iter(self._ring.since(first)), edge)
        age_us = edge.info.pts_us - wanted.info.pts_us
        return max(first, key) if age_us > self._limits.push_delay_s * 1e6 else first

    def _least_group(self) -> int:
        """With which a child that is late goes on: the newest, or the next when that is late
        itself."""
        key = self._ring.newest_key()
        start, edge = self._ring.get(key or 0), self._ring.get(self._ring.edge)
        if key is None or start is None or edge is None:
            return 0
        age_us = edge.info.pts_us - start.info.pts_us
        return key if age_us < self._limits.push_delay_s * 1e6 else key + 1

    def _of(self, stripe: int, first: int) -> list[LivePart]:
        return [part for part in self._ring.since(first) if part.seq % self._stripes == stripe]
