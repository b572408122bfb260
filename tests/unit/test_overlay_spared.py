"""What a node has got elsewhere need not be pushed to it: who says so, and what a word is worth."""

import pytest
from overlay_alone import FULL, Alone, said
from overlay_net import LIVE, PART_S, node_id, part_at

from headwater.errors import RemoteProtocolError
from headwater.overlay import Command, LeaveOut, Limits
from headwater.wire.live import Accept, LiveHave, Redirect, Subscribe, Unsubscribe

PARENT, OTHER, CHILD = (node_id(name) for name in ("parent", "other", "child"))


def fed() -> Alone:
    """By a parent that has pushed all up to 100; another one is there."""
    alone = Alone()
    alone.be_fed_by(PARENT)
    alone.meet(OTHER)
    return alone


def spared(out: list[Command]) -> list[int]:
    return [
        seq
        for command in out
        if isinstance(command, LeaveOut) and command.node == CHILD
        for seq in command.seqs
    ]


def test_a_parent_is_told_at_once_what_came_another_way() -> None:
    alone = fed()
    alone.overlay.part_arrived(part_at(101), OTHER, alone.now, is_pushed=False)
    [told] = said(alone.overlay.commands(), LiveHave, PARENT)
    assert (told.edge, told.bits[0] & 1) == (101, 1)


def test_a_parent_is_not_told_of_what_it_pushed_itself_or_has_pushed_newer_ones_than() -> None:
    alone = fed()
    assert not said(alone.push(101, PARENT), LiveHave, PARENT)
    alone.push(106, PARENT)
    alone.overlay.part_arrived(part_at(102), OTHER, alone.now, is_pushed=False)
    assert not said(alone.overlay.commands(), LiveHave, PARENT)


def test_the_former_parent_is_let_go_by_the_first_part_of_the_new_one_not_by_words() -> None:
    alone = fed()
    alone.say(PARENT, Redirect(LIVE, 1, (OTHER,), 2000))
    alone.say(OTHER, Accept(LIVE, 1, ()))
    assert alone.parents() == [PARENT, OTHER, PARENT, PARENT]
    for seq in (101, 105, 109):
        assert said(alone.push(seq, PARENT), LiveHave, OTHER)
        alone.overlay.left_out(seq, OTHER, alone.now)
        assert not said(alone.overlay.commands(), Unsubscribe)
    [gone] = said(alone.push(113, OTHER), Unsubscribe, PARENT)
    assert gone.stripe == 1


def test_what_a_child_has_got_elsewhere_is_left_out_once() -> None:
    alone = fed()
    alone.meet(CHILD, edge=100)
    alone.say(CHILD, Subscribe(LIVE, 1, 101, 8))
    assert spared(alone.say(CHILD, LiveHave(LIVE, 101, FULL))) == [101]
    assert spared(alone.say(CHILD, LiveHave(LIVE, 101, FULL))) == []
    # 102 to 104 are of stripes that it does not have from here
    assert spared(alone.say(CHILD, LiveHave(LIVE, 105, FULL))) == [105]


def test_what_a_child_claims_of_the_far_future_is_not_noted() -> None:
    alone = fed()
    alone.meet(CHILD, edge=100)
    alone.say(CHILD, Subscribe(LIVE, 1, 101, 8))
    assert spared(alone.say(CHILD, LiveHave(LIVE, 100 + 256, FULL))) == []
    assert len(spared(alone.say(CHILD, LiveHave(LIVE, 100 + 255, FULL)))) <= 64


def test_two_words_in_place_of_what_is_here_show_that_the_parent_lives() -> None:
    alone = fed()
    for seq in range(101, 113):
        alone.now += PART_S
        if seq in (103, 107):
            alone.overlay.part_arrived(part_at(seq), OTHER, alone.now, is_pushed=False)
            alone.overlay.left_out(seq, PARENT, alone.now)
        else:
            alone.push(seq, PARENT)
    out = alone.pass_time(3 * PART_S)
    assert not said(out, Subscribe)
    assert alone.parents() == [PARENT] * 4


@pytest.mark.parametrize("is_here", [True, False])
def test_a_parent_that_only_says_words_is_replaced(is_here: bool) -> None:
    alone = fed()
    out: list[Command] = []
    for seq in range(101, 141):
        alone.now += PART_S
        if seq % 4 != 3:
            out += alone.push(seq, PARENT)
            continue
        out += alone.say(OTHER, LiveHave(LIVE, seq, FULL))
        if is_here:
            alone.overlay.part_arrived(part_at(seq), OTHER, alone.now, is_pushed=False)
        alone.overlay.left_out(seq, PARENT, alone.now)
        out += alone.pass_time(0.0)
    assert 3 in {message.stripe for message in said(out, Subscribe, OTHER)}


def test_a_flood_of_words_costs_the_link() -> None:
    alone, limits = fed(), Limits()
    with pytest.raises(RemoteProtocolError):
        for seq in range(limits.messages_burst + 2):
            alone.overlay.left_out(101 + seq, PARENT, alone.now)


def test_words_of_strangers_are_nothing() -> None:
    alone = fed()
    for seq in range(1000):
        alone.overlay.left_out(seq, CHILD, alone.now)


@pytest.mark.parametrize(("part_s", "patience_s"), [(0.02, 0.5), (0.1, 0.5), (1.0, 5.0)])
def test_long_parts_wait_until_the_next_of_their_stripe_has_come(
    part_s: float, patience_s: float
) -> None:
    assert Limits().patience_s(4, part_s) == patience_s
