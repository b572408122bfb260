"""Who takes part: uplinks, places, and who cannot be dialled."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater.overlay.overlay import DEFAULT
from headwater.sim.chance import Random
from headwater.sim.peer import Peer, World
from headwater.sim.stream import Format
from headwater.wire.ids import NodeId

__all__ = ["SOURCE_BPS", "USUAL", "Population", "slots_of"]

SOURCE_BPS = 20e6
NONE_BPS = 0.25e6
"""What a node has that does not share: enough for its own words."""


def slots_of(uplink_bps: float, form: Format) -> int:
    """Stripes that the uplink can carry."""
    return int(DEFAULT.uplink_share * uplink_bps / form.stripe_bps + 1e-9)


@dataclass(frozen=True, slots=True)
class Population:
    """`uplinks`: (share of the nodes, bits a second). `nat`: share of the nodes."""

    uplinks: Sequence[tuple[float, float]] = (
        (0.2, NONE_BPS),
        (0.3, 2e6),
        (0.3, 5e6),
        (0.2, 20e6),
    )
    nat: float = 0.6
    source_bps: float = SOURCE_BPS

    def source(self, world: World, node: NodeId) -> Peer:
        """In the middle: its place decides over much, and chance should not."""
        slots = slots_of(self.source_bps, world.stream.form)
        return Peer(
            world,
            node,
            uplink_bps=self.source_bps,
            slots=slots,
            place=(0.5, 0.5),
            is_nat=False,
            is_source=True,
        )

    def viewer(self, world: World, node: NodeId, drawn: tuple[float, float], rng: Random) -> Peer:
        """`drawn`: two numbers below 1 that decide over uplink and NAT."""
        (drawn_uplink, drawn_nat), uplink_bps = drawn, 0.0
        for share, bps in self.uplinks:
            uplink_bps = bps
            drawn_uplink -= share
            if drawn_uplink < 0:
                break
        return Peer(
            world,
            node,
            uplink_bps=uplink_bps,
            slots=slots_of(uplink_bps, world.stream.form),
            place=(rng.random(), rng.random()),
            is_nat=drawn_nat < self.nat,
        )


USUAL = Population()
