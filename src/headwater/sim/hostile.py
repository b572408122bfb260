"""What hostile nodes do. Each of these turns a node that runs into one."""

from collections.abc import Callable

from headwater.sim.link import Link
from headwater.sim.peer import Peer
from headwater.sim.simulation import Simulation
from headwater.sim.stream import LIVE
from headwater.wire.live import Accept, LiveHave, LiveMessage, Path, Subscribe

__all__ = ["BEHAVIOURS", "turn"]

BOAST = 20
"""Times the slots that it has."""
REPLAYED_PARTS = 48
FLOOD_S = 0.02
FLOOD_HAVES = 20


def turn(simulation: Simulation, peer: Peer, behaviour: str) -> None:
    peer.is_hostile, peer.is_viewer = True, False
    BEHAVIOURS[behaviour](simulation, peer)


def _forge(simulation: Simulation, peer: Peer) -> None:
    peer.forges = True


def _withhold(simulation: Simulation, peer: Peer) -> None:
    stripes = sorted({stripe for link in peer.links.values() for stripe in link.pushes})
    peer.withholds = simulation.rng.choice(stripes or [0])


def _freeze(simulation: Simulation, peer: Peer) -> None:
    peer.is_frozen = True


def _replay(simulation: Simulation, peer: Peer) -> None:
    stripes = simulation.world.stripes
    peer.replays = REPLAYED_PARTS // stripes * stripes


def _excuse(simulation: Simulation, peer: Peer) -> None:
    """It says of every part that it leaves it out."""
    peer.excuses = True


def _boast(simulation: Simulation, peer: Peer) -> None:
    peer.core.uplink(max(peer.slots, 4) * BOAST, simulation.clock.now)
    peer.flush()


def _lie_about_ancestors(simulation: Simulation, peer: Peer) -> None:
    """It says that the source feeds it."""
    source = simulation.source.id

    def mask(link: Link, message: LiveMessage) -> LiveMessage:
        if isinstance(message, Accept):
            return Accept(LIVE, message.stripe, (source,))
        if isinstance(message, Path):
            return Path(LIVE, message.stripe, (source,))
        return message

    peer.mask = mask


def _flood(simulation: Simulation, peer: Peer) -> None:
    clock, network = simulation.clock, simulation.network

    def flood() -> None:
        if not peer.is_alive:
            return
        edge = max(peer.edge, 0)
        for link in list(peer.links.values()):
            for behind in range(FLOOD_HAVES):
                network.send(link, LiveHave(LIVE, max(edge - behind, 0), bytes(32)))
            for stripe in range(simulation.world.stripes):
                network.send(link, Subscribe(LIVE, stripe, edge, 0))
        clock.at(clock.now + FLOOD_S, flood)

    flood()


BEHAVIOURS: dict[str, Callable[[Simulation, Peer], None]] = {
    "forge": _forge,
    "withhold": _withhold,
    "freeze": _freeze,
    "replay": _replay,
    "excuse": _excuse,
    "boast": _boast,
    "ancestors": _lie_about_ancestors,
    "flood": _flood,
}
