"""What lies between simulated nodes: distance, loss, NAT, and how one notices that another is gone.

* A message arrives one way's delay after its last byte left; the delay is 4 ms and more with the
  distance in a plane.
* QUIC repeats what is lost: a message or part that met a loss arrives one round trip later, and
  what follows it in the same stream waits for it.
* Behind NAT a node can be dialled only by whom it has a neighbour in common with, who introduces
  them. A link carries both ways once it is there.
* A process that ends properly closes its links; of one that does not, its neighbours hear nothing
  and give the link up after `SILENCE_S`.
* What is pushed goes by a TCP connection beside the link, where the dialled side can be reached so:
  not behind NAT. A process that is killed takes it with it, and whom it fed knows at once that
  something is wrong; from a machine without power nothing comes at all.
"""

from math import hypot, sqrt

from headwater.sim.chance import Random
from headwater.sim.clock import Clock
from headwater.sim.link import Flow, Link, Parcel, Station
from headwater.sim.tally import Tally
from headwater.wire.frames import encode
from headwater.wire.ids import NodeId
from headwater.wire.live import GetParts, LiveMessage

__all__ = ["LONGEST_S", "SHORTEST_S", "SILENCE_S", "Network"]

SHORTEST_S, LONGEST_S = 0.004, 0.075
"""One way, between neighbours and between opposite corners of the plane."""
SILENCE_S = 1.5
"""Then a link is given up."""
HANDSHAKES = 3
"""One-way delays until both know that a link is up: one and a half round trips."""
PACKET_BYTES = 1200


class Network:
    """Carries messages and parts between stations. `loss`: of packets, 0 to 1."""

    def __init__(self, clock: Clock, rng: Random, tally: Tally, loss: float) -> None:
        self.clock, self.tally = clock, tally
        self.loss = loss
        self.stations: dict[NodeId, Station] = {}
        self._rng = rng
        self._clean: dict[int, float] = {}

    # Links.

    def delay_s(self, a: Station, b: Station) -> float:
        (ax, ay), (bx, by) = a.place, b.place
        return SHORTEST_S + (LONGEST_S - SHORTEST_S) * min(hypot(ax - bx, ay - by) / sqrt(2), 1.0)

    def dial(self, a: Station, node: NodeId) -> None:
        """The link is up after a moment, or nothing comes of it."""
        self.tally.dials += 1
        b = self.stations.get(node)
        if b is None or b is a or node in a.links:
            return
        if not self._reaches(a, b):
            self.tally.dials_failed += 1
            return
        self.clock.at(self.clock.now + HANDSHAKES * self.delay_s(a, b), self._join, a, b)

    def _reaches(self, a: Station, b: Station) -> bool:
        if not b.is_alive or a.side != b.side or a.id in b.banned or b.id in a.banned:
            return False
        return not b.is_nat or not a.links.keys().isdisjoint(b.links)

    def _join(self, a: Station, b: Station) -> None:
        if not (a.is_alive and b.is_alive) or a.side != b.side or b.id in a.links:
            return
        delay_s = self.delay_s(a, b)
        mine, theirs = Link(a, b, delay_s), Link(b, a, delay_s)
        mine.has_lane = theirs.has_lane = not b.is_nat
        mine.other, theirs.other = theirs, mine
        a.links[b.id], b.links[a.id] = mine, theirs
        b.linked(theirs)
        a.linked(mine)

    def close(self, link: Link) -> None:
        """Properly, from this end: the other hears of it, after what is on its way."""
        if link.is_up:
            self._end(link)
            other = link.other
            when = max(self.clock.now + link.delay_s, link.control_s)
            self.clock.at(when, self._end, other)

    def _end(self, link: Link) -> None:
        if not link.is_up:
            return
        link.is_up = False
        owner = link.owner
        if owner.links.get(link.far_id) is link:
            del owner.links[link.far_id]
        owner.unlinked(link)

    def vanish(self, station: Station) -> None:
        """It says nothing any more: killed, or asleep."""
        for link in station.links.values():
            self._cut(link.other)

    def end_lanes(self, station: Station) -> None:
        """Its connections end with it: those whom it fed, and who fed it, hear of it."""
        for link in station.links.values():
            if link.has_lane and (link.pushes or link.other.pushes):
                self.clock.at(self.clock.now + link.delay_s, link.far.lane_lost, link.other)

    def cut(self, link: Link) -> None:
        """Nothing comes through any more, either way."""
        self._cut(link)
        self._cut(link.other)

    def mend(self, link: Link) -> None:
        """Unless it was given up."""
        link.is_cut = link.other.is_cut = False

    def _cut(self, link: Link) -> None:
        link.is_cut = True
        self.clock.at(self.clock.now + SILENCE_S, self.give_up, link)

    def give_up(self, link: Link) -> None:
        """Nothing was heard for too long."""
        if link.is_cut:
            self._end(link)

    # What they carry.

    def send(self, link: Link, message: LiveMessage) -> None:
        far, delay_s = link.far, self._control(link, len(encode(message)))
        if delay_s is not None:
            self.clock.at(delay_s, far.message_came, link.other, message)

    def ask(self, link: Link, ticket: int, message: GetParts) -> None:
        when = self._control(link, len(encode(message)))
        if when is not None:
            self.clock.at(when, link.far.parts_asked, link.other, ticket, message.seqs)

    def _control(self, link: Link, size_bytes: int) -> float | None:
        """When it arrives; None when it never does."""
        tally = self.tally
        tally.control_bytes += size_bytes
        tally.control_messages += 1
        if link.is_cut or not link.is_up:
            return None
        when = self.clock.now + link.delay_s
        if self._rng.random() < self.loss:
            when += 2 * link.delay_s
        if when < link.control_s:
            when = link.control_s
        link.control_s = when
        return when

    def sent(self, flow: Flow, parcel: Parcel, left_s: float) -> None:
        """A part's last byte leaves an uplink then."""
        link = flow.link
        if link.owner.is_source:
            self.tally.source_bytes += parcel.size_bytes
        if link.is_cut:
            return
        when = left_s + link.delay_s
        size_bytes = parcel.size_bytes
        clean = self._clean.get(size_bytes)
        if clean is None:
            packets = -(-size_bytes // PACKET_BYTES)
            clean = self._clean[size_bytes] = float((1.0 - self.loss) ** packets)
        drawn = self._rng.random()
        while drawn > clean:
            when += 2 * link.delay_s
            drawn = (drawn - clean) / (1.0 - clean)
            clean = 1.0 - self.loss  # what was repeated is a packet or two
        stream = parcel.stripe if parcel.is_push else -1
        streams = link.stream_s
        if when < streams.get(stream, 0.0):
            when = streams[stream]
        streams[stream] = when
        self.clock.at(when, link.far.part_came, link.other, parcel)

    def forget_loss(self, loss: float) -> None:
        """Another loss from now on."""
        self.loss = loss
        self._clean.clear()
