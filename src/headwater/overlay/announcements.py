"""LiveHave, out and in: what neighbours have, and how late they are. Pure.

An announcement goes out as a part arrives that is the newest, never by a timer: so its time says
when the sender got that part, to the precision of a part's way between two nodes."""

import math

from headwater.overlay.capacity import Capacity
from headwater.overlay.common import Common
from headwater.overlay.feed import Feed
from headwater.overlay.partner import Partner
from headwater.wire.ids import NodeId
from headwater.wire.live import LiveHave

__all__ = ["Announcements"]

TOLD_PARTS = 256


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
        if self._to is None:
            self._to = self._choose()
        if self._to:
            message = self._message()
            for node in self._to:
                self._common.send(node, message)

    def _message(self) -> LiveHave:
        window = self._common.window
        return LiveHave(self._common.live, window.edge, window.told_bits(TOLD_PARTS))

    def _choose(self) -> tuple[NodeId, ...]:
        """Not who feeds us everything, nor whom we feed everything; of those without a relation
        a few, the nearest half and the longest known."""
        common, stripes = self._common, self._common.stripes
        related: list[NodeId] = []
        others: list[Partner] = []
        for node, partner in common.partners.items():
            ties = sum(1 for feed in self._feeds if feed.parent == node)
            ties += sum(1 for children in self._capacity.of if node in children)
            if ties and ties < stripes:
                related.append(node)
            elif not ties:
                others.append(partner)
        most = common.limits.partners
        near = sorted(others, key=lambda partner: partner.rtt_s)[: most // 2]
        rest = [partner for partner in others if partner not in near]
        return tuple(related + [partner.node for partner in (near + rest)[:most]])

    def heard(self, partner: Partner, message: LiveHave, now: float) -> bool:
        """Note it; True when it tells of parts that are not here."""
        common = self._common
        bits = int.from_bytes(message.bits, "little")
        edge = message.edge
        if edge < partner.edge and bits == partner.bits:
            return False
        partner.announced(edge, bits, now, common.part_s)
        own = common.window.edge
        if edge > own:
            if own >= 0 and edge - own < TOLD_PARTS:
                self._await(partner, edge, now)
            return True
        came = common.arrivals.when(edge)
        if came is not None:
            partner.was_late(edge % common.stripes, now - came)
        return False

    def _await(self, partner: Partner, seq: int, now: float) -> None:
        if len(self._awaited) >= self._common.limits.probes:
            del self._awaited[min(self._awaited)]
        self._awaited.setdefault(seq, []).append((partner, now))

    def arrived(self, seq: int, now: float) -> None:
        """A part has come by push, so it can be told how much earlier others had it."""
        if self._awaited:
            for partner, at in self._awaited.pop(seq, ()):
                partner.was_late(seq % self._common.stripes, at - now)
