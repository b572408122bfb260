"""Whom a node links with, and when."""

import pytest
from overlay_alone import Alone
from overlay_net import LIVE, node_id

from headwater.overlay import Command, Limits
from headwater.overlay.commands import Dial
from headwater.wire.live import LivePeers

NAMED = tuple(node_id(f"named {index}") for index in range(3))
FEW = Limits().few_partners


def dialled(out: list[Command]) -> set[bytes]:
    return {command.node for command in out if isinstance(command, Dial)}


@pytest.mark.parametrize("partners", [1, FEW - 1, FEW])
def test_whom_a_partner_names_is_dialled_at_once_by_who_knows_hardly_anybody(partners: int) -> None:
    """A full node names others and hangs up: behind NAT they are reached now or not at all."""
    alone = Alone()
    nodes = [node_id(f"partner {index}") for index in range(partners)]
    for node in nodes:
        alone.meet(node)
    out = alone.say(nodes[0], LivePeers(LIVE, NAMED))
    assert dialled(out) == (set(NAMED) if partners < FEW else set())


def test_at_most_a_few_are_dialled_at_a_time() -> None:
    alone = Alone()
    alone.meet(node_id("partner"))
    out: list[Command] = []
    for start in range(0, 40, 20):
        names = tuple(node_id(f"n{start + index}") for index in range(20))
        out += alone.say(node_id("partner"), LivePeers(LIVE, names))
    assert len(dialled(out)) == 4
