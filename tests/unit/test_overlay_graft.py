"""The moment after a parent was lost or a new one found: who is asked, who is told what."""

import pytest
from overlay_alone import Alone, said
from overlay_net import LIVE, PART_S, node_id, part_at

from headwater.overlay import Command, Limits, Pull, StopPush
from headwater.overlay.overlay import CHECK_S
from headwater.overlay.repair import BUSY_S, FALSE_CLAIMS, RETRY_S
from headwater.wire.ids import NodeId
from headwater.wire.live import Accept, Hold, LiveHave, LiveJoin, Redirect, Subscribe

PARENT, OTHER, CHILD = (node_id(name) for name in ("parent", "other", "child"))


def with_a_child() -> Alone:
    alone = Alone()
    alone.be_fed_by(PARENT)
    alone.meet(CHILD)
    for stripe in range(4):
        alone.say(CHILD, Subscribe(LIVE, stripe, 101, 8))
    return alone


def pulled(out: list[Command]) -> set[int]:
    return {seq for command in out if isinstance(command, Pull) for seq in command.seqs}


@pytest.mark.parametrize("knows_another", [True, False])
def test_children_are_told_to_wait_unless_we_know_nobody_else(knows_another: bool) -> None:
    alone = with_a_child()
    if knows_another:
        alone.meet(OTHER)
    alone.overlay.disconnected(PARENT, alone.now)
    out = alone.pass_time(0.01)
    asked = {message.stripe for message in said(out, Subscribe)}
    assert asked == (set(range(4)) if knows_another else set())
    assert {message.stripe for message in said(out, Hold, CHILD)} == asked


@pytest.mark.parametrize("is_child", [True, False])
def test_what_a_child_waits_for_from_us_it_is_not_asked_for(is_child: bool) -> None:
    alone = with_a_child() if is_child else Alone()
    if not is_child:
        alone.be_fed_by(PARENT)
        alone.meet(CHILD)
    for seq in (102, 103, 104):  # all but 101
        alone.now += PART_S
        alone.push(seq, PARENT)
    alone.overlay.disconnected(PARENT, alone.now)
    # it has a newer part, and says nothing of the one that is missing
    out = alone.say(CHILD, LiveHave(LIVE, 102, b"\xfd" + b"\xff" * 31))
    out += alone.pass_time(0.5)
    assert (101 in pulled(out)) is not is_child


def test_what_a_new_parent_makes_up_for_is_no_lateness() -> None:
    alone = Alone()
    alone.be_fed_by(PARENT)
    alone.now += 10 * PART_S
    alone.meet(OTHER, edge=110)
    alone.overlay.disconnected(PARENT, alone.now)
    asked = said(alone.pass_time(0.01), Subscribe)
    assert {message.first for message in asked} == {101, 102, 103, 104}
    for message in asked:
        alone.say(OTHER, Accept(LIVE, message.stripe, ()))
    alone.overlay.part_arrived(part_at(110), OTHER, alone.now, is_pushed=False)
    for seq in range(101, 111):
        alone.push(seq, OTHER)
    alone.now += PART_S
    alone.push(111, OTHER)  # in time; of the other stripes nothing came in time yet
    cadence = alone.overlay._common.cadence
    for seq in (112, 113, 114):
        assert abs(cadence.expected(seq, 0.0) - (alone.now + (seq - 111) * PART_S)) < 0.01


def test_what_waited_while_this_node_slept_is_no_lateness() -> None:
    alone = Alone()
    alone.be_fed_by(PARENT)
    for seq in range(101, 111):
        alone.pass_time(PART_S)
        alone.push(seq, PARENT)
    alone.now += 20 * PART_S
    for seq in range(111, 131):  # before any timer
        alone.push(seq, PARENT)
    cadence = alone.overlay._common.cadence
    assert abs(cadence.expected(131, 0.0) - (alone.now + PART_S)) < 0.02
    assert max(cadence.jitter_s) < 0.07


def test_what_a_new_parent_is_about_to_push_is_not_pulled_as_well() -> None:
    alone = Alone()
    alone.be_fed_by(PARENT)
    alone.overlay._common.cadence.jitter_s = [0.3] * 4  # so that nothing is a hole yet
    alone.now += 3 * PART_S
    alone.meet(OTHER, edge=103)
    alone.overlay.disconnected(PARENT, alone.now)
    out = alone.pass_time(0.0)
    for message in said(out, Subscribe):
        out += alone.say(OTHER, Accept(LIVE, message.stripe, ()))
    out += alone.pass_time(0.05)
    assert pulled(out) == set()
    assert {101, 102, 103} <= pulled(alone.pass_time(1.0))  # they never came


def test_who_claims_to_have_the_future_hides_no_delay_for_long() -> None:
    alone = Alone()
    asked = said(alone.meet_and_listen(PARENT, 100), Subscribe)
    alone.meet(OTHER, edge=2**40)
    for message in asked:
        alone.say(PARENT, Accept(LIVE, message.stripe, ()))
    alone.overlay.part_arrived(part_at(0), PARENT, alone.now, is_pushed=False)
    for seq in range(100, 140):
        alone.pass_time(PART_S)
        alone.push(seq, PARENT)
    lags = [alone.overlay._common.cadence.lag_s(stripe) for stripe in range(4)]
    assert None not in lags


def test_what_is_missing_after_a_sleep_is_pulled_however_long_the_parent_has_fed_us() -> None:
    alone = Alone()
    alone.be_fed_by(PARENT)
    for seq in range(101, 501):
        alone.pass_time(PART_S)
        alone.push(seq, PARENT)
    alone.now += 20 * PART_S
    for seq in (*range(501, 515), *range(516, 521)):  # 515 is lost
        alone.push(seq, PARENT)
    alone.meet(OTHER, edge=520)
    assert 515 in pulled(alone.pass_time(0.5))


def test_who_may_be_gone_is_replaced_and_not_asked_before_anything_is_late() -> None:
    alone = Alone()
    alone.be_fed_by(PARENT)
    alone.meet(OTHER, edge=102)
    alone.say(PARENT, LiveHave(LIVE, 102, b"\xff" * 32))
    asked = pulled(alone.pass_time(0.0))
    assert not asked, "it is not late yet"
    alone.overlay.suspected(PARENT, alone.now)
    out = alone.pass_time(0.0)
    assert {message.stripe for message in said(out, Subscribe, OTHER)} == set(range(4))
    out += alone.pass_time(0.5)
    assert {c.node for c in out if isinstance(c, Pull)} == {OTHER}


def test_who_was_suspected_and_pushes_on_is_the_parent_as_before() -> None:
    alone = Alone()
    alone.be_fed_by(PARENT)
    alone.overlay.suspected(PARENT, alone.now)
    for seq in range(101, 141):
        alone.pass_time(PART_S)
        alone.push(seq, PARENT)
    assert alone.parents() == [PARENT] * 4
    report = alone.overlay.report()
    assert [neighbour.strikes for neighbour in report.neighbours] == [0]
    assert all(stripe.is_flowing for stripe in report.stripes)


def test_what_was_asked_of_who_may_be_gone_is_asked_of_another_at_once() -> None:
    alone = Alone()
    alone.be_fed_by(PARENT)
    alone.push(102, PARENT)
    alone.push(103, PARENT)
    while 101 not in pulled(alone.pass_time(0.005)):
        assert alone.now < 1.0
    alone.meet(OTHER, edge=103)
    assert 101 not in pulled(alone.pass_time(0.001))
    alone.overlay.suspected(PARENT, alone.now)
    pulls = [c for c in alone.pass_time(0.001) if isinstance(c, Pull)]
    assert [(c.node, 101 in c.seqs) for c in pulls] == [(OTHER, True)]


def test_who_was_suspected_is_asked_again_after_a_while() -> None:
    alone = Alone()
    alone.be_fed_by(PARENT)
    alone.overlay.suspected(PARENT, alone.now)
    partner = alone.overlay._common.partners[PARENT]
    wait_s = Limits().suspected_s
    assert partner.avoid_until == alone.now + wait_s
    for seq in (*range(101, 120), *range(121, 126)):  # 120 is lost
        alone.pass_time(PART_S)
        alone.push(seq, PARENT)
    assert alone.now > wait_s
    assert 120 in pulled(alone.pass_time(0.5))


@pytest.mark.parametrize("sooner_s", [0.05, 0.2])
def test_pulls_that_were_worth_it_make_nobody_wait_longer_the_next_time(sooner_s: float) -> None:
    alone = Alone()
    alone.be_fed_by(PARENT)
    for seq in range(101, 131):
        alone.push(seq, PARENT)
        alone.pass_time(PART_S)
    cadence, before = alone.overlay._common.cadence, alone.overlay._common.cadence.jitter_s[0]
    for seq in range(131, 151):
        due = alone.now
        if seq % 4 == 0:  # the parent is late in this stripe, and another one is asked
            alone.pass_time(0.08)
            alone.overlay.part_arrived(part_at(seq), OTHER, alone.now, is_pushed=False)
            alone.pass_time(sooner_s)
        alone.push(seq, PARENT)
        alone.now = max(alone.now, due + PART_S)
    assert (cadence.jitter_s[0] > before + 0.05) is (sooner_s == 0.05)


def children(alone: Alone, stripe: int = 0) -> tuple[NodeId, ...]:
    return alone.overlay.report().stripes[stripe].children


def full_with(child: NodeId) -> Alone:
    """One that is fed, and whose only slot this child has."""
    alone = Alone(slots=1)
    alone.be_fed_by(PARENT)
    for node in (child, OTHER):
        alone.meet(node, edge=100, slots=1, free=0)
    assert said(alone.say(child, Subscribe(LIVE, 0, 101, 1)), Accept, child)
    assert said(alone.say(OTHER, Subscribe(LIVE, 0, 101, 1)), Redirect, OTHER)
    return alone


def test_the_slot_of_a_child_that_may_be_gone_is_for_others_and_it_is_fed_on() -> None:
    alone = full_with(CHILD)
    alone.overlay.suspected(CHILD, alone.now)
    told = alone.pass_time(0.5)
    assert said(told, LiveJoin)[-1].free == 1, "others hear that there is room"
    assert said(alone.say(OTHER, Subscribe(LIVE, 0, 101, 1)), Accept, OTHER)
    assert set(alone.forwarded_of(104, PARENT)) == {CHILD, OTHER}


def test_who_may_be_gone_gets_one_part_and_others_when_it_has_taken_that() -> None:
    alone = full_with(CHILD)
    alone.overlay.suspected(CHILD, alone.now)
    assert alone.forwarded_of(104, PARENT) == (CHILD,)
    assert alone.forwarded_of(108, PARENT) == ()
    alone.overlay.cleared(CHILD, alone.now)
    assert alone.forwarded_of(112, PARENT) == (CHILD,)
    alone.overlay.suspected(CHILD, alone.now)
    assert alone.forwarded_of(116, PARENT) == (CHILD,)
    assert alone.forwarded_of(120, PARENT) == ()


def test_a_part_is_passed_on_once() -> None:
    alone = full_with(CHILD)
    assert alone.forwarded_of(104, PARENT) == (CHILD,)
    assert alone.forwarded_of(104, OTHER) == ()


def test_a_child_that_was_suspected_and_is_there_stays() -> None:
    alone = full_with(CHILD)
    alone.overlay.suspected(CHILD, alone.now)
    alone.overlay.cleared(CHILD, alone.now)
    assert not [c for c in alone.pass_time(5.0) if isinstance(c, StopPush)]
    assert children(alone) == (CHILD,)
    assert said(alone.say(OTHER, Subscribe(LIVE, 0, 101, 1)), Redirect, OTHER)


def test_a_child_whose_slot_was_taken_meanwhile_is_sent_elsewhere_and_fed_until_then() -> None:
    alone = full_with(CHILD)
    alone.overlay.suspected(CHILD, alone.now)
    alone.say(OTHER, Subscribe(LIVE, 0, 101, 1))
    alone.overlay.cleared(CHILD, alone.now)
    [told] = said(alone.pass_time(0.0), Redirect, CHILD)
    assert told.keep_ms == Limits().keep_ms
    assert set(children(alone)) == {CHILD, OTHER}
    out = alone.pass_time(told.keep_ms / 1000 + 1.0)
    assert StopPush(CHILD, 0) in out
    assert children(alone) == (OTHER,)


def test_a_child_that_stays_suspected_is_let_go() -> None:
    alone = full_with(CHILD)
    alone.overlay.suspected(CHILD, alone.now)
    suspected_s = Limits().suspected_s
    assert not [c for c in alone.pass_time(suspected_s - 0.01) if isinstance(c, StopPush)]
    assert StopPush(CHILD, 0) in alone.pass_time(1.1)
    assert children(alone) == ()


def test_who_was_not_suspected_is_not_touched_when_it_is_cleared() -> None:
    alone = full_with(CHILD)
    alone.overlay.cleared(CHILD, alone.now)
    alone.overlay.cleared(OTHER, alone.now)
    assert children(alone) == (CHILD,)


def test_who_has_enough_to_do_is_asked_again_and_believed() -> None:
    alone = Alone()
    only = node_id("one")
    alone.meet(only)
    for _ in range(2 * FALSE_CLAIMS):
        alone.overlay.pulled(only, (100,), alone.now, is_busy=True)
        assert not pulled(alone.pass_time(BUSY_S - 0.01))
        assert pulled(alone.pass_time(RETRY_S + 0.01 + CHECK_S)) == {100}
    alone.overlay.pulled(only, (100,), alone.now)
    assert not pulled(alone.pass_time(1.0))  # it has it not, after all


def test_who_always_has_enough_to_do_keeps_nothing_from_anybody() -> None:
    alone = Alone()
    for name in ("one", "two"):
        alone.meet(node_id(name))
    alone.overlay.pulled(node_id("one"), (100,), alone.now, is_busy=True)  # asked at once
    out = alone.pass_time(BUSY_S + CHECK_S)
    assert [command.node for command in out if isinstance(command, Pull)] == [node_id("two")]


def test_who_got_nothing_asks_another_soon_and_not_at_once() -> None:
    """Else who has no uplink left is asked by the same few again and again."""
    alone = Alone()
    for name in ("one", "two", "three"):
        alone.meet(node_id(name))
    alone.overlay.pulled(node_id("one"), (100,), alone.now)  # it had been asked at once
    assert not pulled(alone.pass_time(0.0))
    (first,) = [command for command in alone.pass_time(CHECK_S) if isinstance(command, Pull)]
    alone.overlay.pulled(first.node, first.seqs, alone.now)
    assert not pulled(alone.pass_time(CHECK_S / 2))
    (second,) = [command for command in alone.pass_time(CHECK_S) if isinstance(command, Pull)]
    assert first.seqs == second.seqs == (100,)
    assert first.node != second.node
