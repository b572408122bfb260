"""One run: a live, its viewers, and what happens to them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from headwater.overlay.overlay import Overlay
from headwater.sim.chance import Random, chance, spread_evenly
from headwater.sim.clock import Clock
from headwater.sim.network import Network
from headwater.sim.peer import Core, Peer, World
from headwater.sim.population import USUAL, Population
from headwater.sim.record import Record
from headwater.sim.stream import LIVE, Format, Stream
from headwater.wire.ids import NodeId

__all__ = ["MakeCore", "Plan", "Simulation", "overlay_core"]

NAMED = 8
"""Others that the mesh names to a node that joins, besides the publisher."""
NAMED_AGAIN = 3
NAMED_AGAIN_S = 10.0
"""The mesh goes on telling who is there."""

MakeCore = Callable[[Peer, Random], Core]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many, how long. The window, in which things are measured and in which they happen,
    starts when all have joined (`joins_per_s`) and `settle_s` have passed. `opens_first`: the
    first to join can be dialled, whatever share of the others is behind NAT."""

    nodes: int
    seed: int = 1
    window_s: float = 12.0
    settle_s: float = 10.0
    joins_per_s: float = 100.0
    loss: float = 0.01
    population: Population = USUAL
    opens_first: bool = False
    form: Format = field(default_factory=Format)

    @property
    def window_from_s(self) -> float:
        """When the window starts."""
        return 1.0 + self.nodes / self.joins_per_s + self.settle_s


def overlay_core(peer: Peer, rng: Random) -> Core:
    """The very code that nodes run."""
    world = peer.world
    return Overlay(
        LIVE,
        peer.id,
        is_source=peer.is_source,
        stripes=world.stripes,
        part_s=world.stream.form.part_s,
        slots=peer.slots,
        rng=rng,
        now=world.clock.now,
    )


class Simulation:
    """Steps that scenarios are made of. `viewers`: all that ever were, the dead included."""

    def __init__(self, plan: Plan, make_core: MakeCore = overlay_core) -> None:
        self.plan = plan
        self.clock = Clock()
        self.record = Record()
        network = Network(self.clock, chance(plan.seed, "network"), self.record.tally, plan.loss)
        self.network = network
        self.world = World(self.clock, network, Stream(plan.form), self.record)
        self.rng = chance(plan.seed, "scenario")
        self.killed_s: float | None = None
        self.hit: list[Peer] = []
        self._make_core = make_core
        self._chosen = chance(plan.seed, "overlays")
        self._people = chance(plan.seed, "population")
        self._drawn = spread_evenly(chance(plan.seed, "shares"))
        self._names = chance(plan.seed, "names")
        self.viewers: list[Peer] = []
        self._present: list[Peer] = []
        self.source = self._add_source()

    # Running.

    def run(self, until: float) -> None:
        self.clock.run(until)

    def start(self) -> None:
        """The source goes on air and everybody joins."""
        self.clock.at(0.0, self.go_on_air)
        self.join(self.plan.nodes, self.plan.joins_per_s, 1.0)

    def go_on_air(self) -> None:
        """Also after an end: a new process goes on with the same live, in a new epoch, and finds
        some of its mesh again."""
        source = self.source
        source.start(self._make_core(source, self._chosen), self._some(NAMED))
        source.make(self.world.stream.make_init(self.clock.now))
        self._make_part(source.core)

    def _make_part(self, core: Core) -> None:
        source = self.source
        if not source.is_alive or source.core is not core:
            return
        for info in self.world.stream.make(self.clock.now):
            self.record.tally.stream_bytes += info.size_bytes
            source.make(info)
        self.clock.at(self.clock.now + self.plan.form.part_s, self._make_part, core)

    # Who is there.

    def alive(self) -> list[Peer]:
        """Viewers that run and mean well."""
        return [each for each in self.viewers if each.is_alive and not each.is_hostile]

    def relays(self) -> list[Peer]:
        """Viewers that feed others."""
        return [each for each in self.alive() if any(link.pushes for link in each.links.values())]

    def join(self, count: int, per_s: float, from_s: float) -> None:
        """One after the other."""
        for index in range(count):
            self.clock.at(from_s + index / per_s, self.join_one)

    def join_one(self) -> Peer:
        node = NodeId(self._people.randbytes(32))
        peer = self.plan.population.viewer(self.world, node, next(self._drawn), self._people)
        if self.plan.opens_first and not self.viewers:
            peer.is_nat = False
        self.network.stations[node] = peer
        self.viewers.append(peer)
        others = [self.source.id, *self._some(NAMED)]
        self._present.append(peer)
        peer.start(self._make_core(peer, self._chosen), others)
        self.clock.at(self.clock.now + NAMED_AGAIN_S, self._name_again, peer)
        return peer

    def _name_again(self, peer: Peer) -> None:
        if peer.is_alive:
            peer.hear_of([self.source.id, *self._some(NAMED_AGAIN)])
            self.clock.at(self.clock.now + NAMED_AGAIN_S, self._name_again, peer)

    def _some(self, count: int) -> list[NodeId]:
        """Of those that are there; the catalogue may not know yet that one has just gone."""
        self._prune()
        present = self._present
        return [each.id for each in self._names.sample(present, min(count, len(present)))]

    def _prune(self) -> None:
        """Now and then: the list is long."""
        if self._names.random() < 16 / (len(self._present) + 16):
            self._present = [each for each in self._present if each.is_alive]

    def _add_source(self) -> Peer:
        node = NodeId(self._people.randbytes(32))
        source = self.plan.population.source(self.world, node)
        self.network.stations[node] = source
        return source

    # What happens.

    def kill(self, victims: Iterable[Peer], *, with_machine: bool = False) -> None:
        """At once, and without a word. From now on gaps are measured at those that they fed."""
        dead = list(victims)
        for peer in dead:
            peer.kill(with_machine=with_machine)
        self.watch_gaps(below(self.alive(), set(dead)))

    def watch_gaps(self, hit: Sequence[Peer]) -> None:
        self.killed_s = self.clock.now
        self.hit = list(hit)
        for peer in self.hit:
            peer.player.gap_s = 0.0

    def some(self, peers: Sequence[Peer], share: float) -> list[Peer]:
        count = min(len(peers), max(1, round(share * len(peers)))) if peers else 0
        return self.rng.sample(list(peers), count)

    def announce(self) -> None:
        """The catalogue tells everybody within a second that the live is on."""
        for peer in self.alive():
            after_s = self.rng.random()
            self.clock.at(self.clock.now + after_s, peer.hear_of, [self.source.id])

    def part(self, side: Sequence[Peer]) -> None:
        """These and the others do not reach each other any more."""
        for peer in side:
            peer.side = 1
        for peer in side:
            for link in peer.links.values():
                if link.far.side == 0:
                    self.network.cut(link)

    def merge(self) -> None:
        for peer in self.viewers:
            peer.side = 0
        for peer in self.viewers:
            for link in peer.links.values():
                if link.far.is_alive and peer.is_alive:
                    self.network.mend(link)


def below(peers: Iterable[Peer], dead: set[Peer]) -> list[Peer]:
    """Those that had one of the dead above them, in whichever stripe."""
    return [peer for peer in peers if any(not dead.isdisjoint(path(peer, s)) for s in peer.parents)]


def path(peer: Peer, stripe: int) -> list[Peer]:
    """Its ancestors along a stripe, the nearest first; a loop ends where it closes, with the node
    itself or an ancestor named twice."""
    found: list[Peer] = []
    above = feeder(peer, stripe)
    while above is not None:
        found.append(above)
        if above is peer or above in found[:-1]:
            break
        above = feeder(above, stripe)
    return found


def feeder(peer: Peer, stripe: int) -> Peer | None:
    """Who has a stream of this stripe open to it."""
    parent = peer.parents.get(stripe)
    if parent is None:
        return None
    link = parent.links.get(peer.id)
    return parent if link is not None and stripe in link.pushes else None
