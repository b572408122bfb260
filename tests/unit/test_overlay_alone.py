"""With one neighbour only: what the beginning of a live tells, and a stripe of its that stands
still."""

import pytest
from overlay_alone import Alone, said
from overlay_net import LIVE, PART_S, node_id, part_at

from headwater.overlay import Command, Deliver, Limits, Pull, Skip
from headwater.wire.ids import NodeId
from headwater.wire.live import Accept, LiveHave, LiveJoin, Subscribe

PARENT, OTHER = node_id("parent"), node_id("other")
STANDING = 0
"""The stripe that does not come."""


@pytest.mark.parametrize(("edge", "bits"), [(0, b"\x01"), (1, b"\x03"), (2, b"\x07")])
def test_when_the_live_begins_all_stripes_are_asked_for(edge: int, bits: bytes) -> None:
    """Of some there is no part yet."""
    alone = Alone()
    alone.overlay.connected(PARENT, 0.002, 0.0)
    out = alone.say(PARENT, LiveJoin(LIVE, 8, 8, True, 0, 0b1111, 0b1111))
    out += alone.say(PARENT, LiveHave(LIVE, edge, bits))
    assert {message.stripe for message in said(out, Subscribe, PARENT)} == set(range(4))


def test_a_stripe_of_which_it_lacks_what_there_is_is_not_asked_for() -> None:
    alone = Alone()
    alone.overlay.connected(PARENT, 0.002, 0.0)
    alone.say(PARENT, LiveJoin(LIVE, 8, 8, True, 0, 0b1111, 0b1111))
    out = alone.say(PARENT, LiveHave(LIVE, 3, b"\x0b"))  # 0, 2 and 3
    assert {message.stripe for message in said(out, Subscribe, PARENT)} == {0, 2, 3}


def test_nothing_is_played_of_before_the_group_that_a_joiner_begins_with() -> None:
    alone = Alone()
    for message in said(alone.meet_and_listen(PARENT, 12), Subscribe):
        alone.say(PARENT, Accept(LIVE, message.stripe, ()))
    alone.overlay.part_arrived(part_at(12), PARENT, alone.now, is_pushed=False)
    group = part_at(12).group
    assert 1 < group <= 12
    out = [command for seq in (0, 1, 4, 5) for command in alone.push(seq, PARENT)]
    for seq in range(group, 13):
        alone.overlay.part_arrived(part_at(seq), PARENT, alone.now, is_pushed=False)
    out += alone.pass_time(2.0)
    assert not [command for command in out if isinstance(command, Skip)]
    assert [c.seq for c in out if isinstance(c, Deliver)] == [0, *range(group, 13)]


def fed_but_for_one(*others: NodeId) -> tuple[Alone, list[tuple[float, Command]]]:
    """For five seconds the parent pushes all but STANDING; what that leads to, and when."""
    alone = Alone()
    alone.be_fed_by(PARENT, above=())
    for node in others:
        alone.meet(node, edge=100)
    found: list[tuple[float, Command]] = []
    for seq in range(101, 151):
        out = alone.pass_time(PART_S)
        if seq % 4 != STANDING:
            out += alone.push(seq, PARENT)
        found += [(alone.now, command) for command in out]
    return alone, found


def test_what_the_only_neighbour_does_not_push_is_asked_of_it() -> None:
    """Who feeds us everything announces nothing to us."""
    _, found = fed_but_for_one()
    asked = {seq for _, c in found if isinstance(c, Pull) for seq in c.seqs}
    assert asked >= {104, 108, 112, 116, 120}


def test_an_only_parent_that_stands_still_is_asked_anew_now_and_then() -> None:
    alone, found = fed_but_for_one()
    times = [at for at, c in found if said([c], Subscribe, PARENT)]
    limits = Limits()
    assert times[0] >= 0.4 + limits.silence_s + limits.silent_s  # since 104 was due
    assert 2 <= len(times) <= 5.0 / limits.silent_s
    while not said(alone.pass_time(PART_S), Subscribe, PARENT):
        assert alone.now < 10.0
    alone.say(PARENT, Accept(LIVE, STANDING, ()))
    for seq in range(151, 161):
        alone.pass_time(PART_S)
        alone.push(seq, PARENT)
    assert alone.overlay.report().stripes[STANDING].is_flowing


def test_a_parent_that_stands_still_is_not_asked_anew_by_who_knows_another() -> None:
    alone, found = fed_but_for_one(OTHER)
    out = [command for _, command in found]
    assert said(out, Subscribe, OTHER) and not said(out, Subscribe, PARENT)
    assert alone.parents()[1:] == [PARENT] * 3
