"""LiveHave, out and in: what neighbours have, and how late they are. Pure.

An announcement goes out as a part arrives that is the newest, never by a timer: so its time says
when the sender got that part, to the precision of a part's way between two nodes."""

import math

from headwater.overlay.capacity import Capacity
from headwater.overlay.commands import LeaveOut
from headwater.overlay.common import Common
from headwater.overlay.feed import Feed
from headwater.overlay.partner import Partner
from headwater.wire.ids import NodeId
from headwater.wire.live import LiveHave

__all__ = ["TOLD_PARTS", "Announcements"]

TOLD_PARTS = 256
"""As many bits has a LiveHave."""


class Announcements:
    """Shape: limits.probes announcements wait for their part."""

    def __init__(self, common: Common, feeds: list[Feed], capacity: Capacity) -> None:
        self._common, self._feeds, self._capacity = common, feeds, capacity
        self._told_at, self._told_seq = -math.inf, -1
        self._to: tuple[NodeId, ...] | None = None
        self._awaited: dict[int, list[tuple[Partner, float]]] = {}

    def change(self) -> None:
        """Partners, parents or children have changed: choose again who is told."""
        self._to = None

    def tell(self, node: NodeId) -> None:
        """A new partner: at once."""
        window = self._common.window
        if window.edge >= 0:
            self._common.send(node, self._message())

    def edge_grew(self, seq: int, now: float) -> None:
        """Announce it, when it is time, of another stripe than the last time."""
        if now - self._told_at < self._common.limits.have_s:
            return
        stripes = self._common.stripes
        if stripes > 1 and (seq - self._told_seq) % stripes == 0:
            return
        self._told_at, self._told_seq = now, seq
        targets = self.targets()
        if targets:
            message = self._message()
            for node in targets:
                self._common.send(node, message)

    def came(self, seq: int, source: NodeId | None) -> None:
        """A part is here: its stripe's parent need not push it any more, if it has not yet."""
        feed = self._feeds[seq % self._common.stripes]
        if feed.parent is not None and feed.parent != source and seq > feed.pushed:
            self._common.send(feed.parent, self._message())

    def targets(self) -> tuple[NodeId, ...]:
        """Who is told what we have, and what is free here."""
        if self._to is None:
            self._to = self._choose()
        return self._to

    def _message(self) -> LiveHave:
        window = self._common.window
        return LiveHave(self._common.live, window.edge, window.told_bits(TOLD_PARTS))

    def _choose(self) -> tuple[NodeId, ...]:
        """Neither who feeds us everything nor whom we feed everything. Of the others half the
        nearest, and of the rest those who tell us in turn, so that pairs form."""
        common, stripes = self._common, self._common.stripes
        partners = list(common.partners.values())
        most = common.limits.partners
        if len(partners) > most:
            partners.sort(key=lambda partner: partner.rtt_s)
            rest = partners[most // 2 :]
            rest.sort(key=lambda partner: -partner.told_us_at)
            partners[most // 2 :] = rest
        chosen: list[NodeId] = []
        for partner in partners:
            node = partner.node
            ties = sum(1 for feed in self._feeds if feed.parent == node)
            ties = max(ties, sum(1 for children in self._capacity.of if node in children))
            if ties < stripes:
                chosen.append(node)
                if len(chosen) == most:
                    break
        return tuple(chosen)

    def heard(self, partner: Partner, message: LiveHave, now: float) -> bool:
        """Note it; True when it tells of parts that are not here."""
        common = self._common
        bits = int.from_bytes(message.bits, "little")
        edge = message.edge
        if edge < partner.edge and bits == partner.bits:
            return False
        is_news = edge > partner.edge
        fresh = partner.announced(edge, bits, now)
        own = common.window.edge
        if edge - own < TOLD_PARTS:
            self._leave_out(partner.node, edge, fresh)
        if not is_news:
            return edge > own
        if edge > own:
            if own >= 0 and edge - own < TOLD_PARTS:
                self._await(partner, edge, now)
            return True
        came = common.arrivals.when(edge)
        if came is not None:
            partner.was_late(edge % common.stripes, now - came)
        return False

    def _leave_out(self, node: NodeId, edge: int, fresh: int) -> None:
        """What a child has got elsewhere."""
        common = self._common
        stripes = self._capacity.stripes_of(node)
        if not stripes:
            return
        found: list[int] = []
        while fresh:
            behind = fresh.bit_length() - 1
            fresh ^= 1 << behind
            if (edge - behind) % common.stripes in stripes:
                found.append(edge - behind)
        if found:
            common.out.append(LeaveOut(node, tuple(found)))

    def _await(self, partner: Partner, seq: int, now: float) -> None:
        if len(self._awaited) >= self._common.limits.probes:
            del self._awaited[min(self._awaited)]
        self._awaited.setdefault(seq, []).append((partner, now))

    def arrived(self, seq: int, now: float) -> None:
        """A part has come by push, so it can be told how much earlier others had it."""
        if self._awaited:
            for partner, at in self._awaited.pop(seq, ()):
                partner.was_late(seq % self._common.stripes, at - now)
