"""Whom a node links with, and when."""

import pytest
from overlay_alone import Alone
from overlay_net import LIVE, PART_S, node_id

from headwater.overlay import Command, Limits
from headwater.overlay.commands import Dial
from headwater.overlay.membership import CUT_OFF_SHARE, DIAL_S
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


PARTNERS = tuple(node_id(f"partner {index}") for index in range(FEW))


def cut_off() -> Alone:
    """Fed, and then without any of those it knows."""
    alone = Alone()
    alone.be_fed_by(PARTNERS[0])
    for node in PARTNERS[1:]:
        alone.meet(node)
    for node in PARTNERS:
        alone.overlay.disconnected(node, alone.now)
    alone.pass_time(0.0)
    return alone


def test_to_whom_nothing_comes_dials_those_it_knew_again_and_again() -> None:
    """A switch without power for half a minute must not cost a minute."""
    alone = cut_off()
    alone.pass_time(30.0)
    longest_s = 30.0 * CUT_OFF_SHARE * 1.5 + 2 * Limits().tick_s
    assert set(PARTNERS) <= dialled(alone.pass_time(longest_s))


def test_the_longer_nothing_came_the_less_is_dialled() -> None:
    alone = cut_off()
    soon = sum(isinstance(command, Dial) for command in alone.pass_time(20.0))
    alone.pass_time(600.0)
    late = sum(isinstance(command, Dial) for command in alone.pass_time(20.0))
    assert soon > FEW > late


def test_who_is_fed_leaves_those_alone_who_could_not_be_reached() -> None:
    alone = Alone()
    alone.be_fed_by(node_id("parent"))
    alone.overlay.candidates([node_id("away")], alone.now)
    assert dialled(alone.pass_time(0.1)) == {node_id("away")}
    again = 0
    for seq in range(101, 131):
        alone.push(seq, node_id("parent"))
        again += node_id("away") in dialled(alone.pass_time(PART_S))
    assert not again


@pytest.mark.parametrize("failed", [True, False])
def test_who_failed_us_is_not_dialled_again_soon_when_its_link_ends(failed: bool) -> None:
    alone = Alone()
    alone.be_fed_by(node_id("parent"))
    alone.meet(node_id("other"))
    if failed:
        partner = alone.overlay._common.partners[node_id("other")]
        for _ in range(Limits().strikes):
            alone.overlay._partners.failed(partner, "gives nothing", partner.avoid_until)
    alone.overlay.disconnected(node_id("other"), alone.now)
    out: list[Command] = []
    for seq in range(101, 301):
        alone.push(seq, node_id("parent"))
        out += alone.pass_time(PART_S)
    assert (node_id("other") in dialled(out)) is not failed


def test_a_mesh_of_which_all_stand_still_looks_for_others_though_it_has_partners_enough() -> None:
    alone = Alone()
    alone.be_fed_by(node_id("parent"))
    others = [node_id(f"other {index}") for index in range(2 * FEW)]
    for node in others:
        alone.meet(node)
    alone.overlay.candidates([node_id("beyond")], alone.now)
    assert not dialled(alone.pass_time(0.1))
    assert node_id("beyond") in dialled(alone.pass_time(2 * DIAL_S))
