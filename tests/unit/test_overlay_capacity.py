"""Slots: never more children than there are, shared by all stripes, the strong before the weak."""

import math

from hypothesis import given
from hypothesis import strategies as st
from overlay_net import node_id

from headwater.overlay.capacity import DRAINED_S, NOBODY, Capacity, Child
from headwater.overlay.limits import Limits
from headwater.wire.ids import NodeId

LIMITS = Limits()


def capacity(slots: int, *, stripes: int = 4, is_source: bool = False) -> Capacity:
    return Capacity(stripes, 0.1, slots, LIMITS, is_source=is_source)


def test_a_stripe_gets_its_share_and_no_more() -> None:
    mine = capacity(8)
    for index in range(4):
        assert mine.has_room(0)
        mine.add(node_id(f"{index}"), 0, 0, 1)
    assert not mine.has_room(0)
    assert mine.has_room(1)
    assert mine.open_stripes() == 0b1110


def test_who_leaves_takes_no_share() -> None:
    mine = capacity(8)
    leaving, *_ = [mine.add(node_id(f"{index}"), 0, 0, 1) for index in range(4)]
    mine.hand_over(leaving, 5.0)
    assert mine.has_room(0)
    mine.take_back(leaving)
    assert not mine.has_room(0)


def test_few_slots_go_to_whoever_asks() -> None:
    mine = capacity(2)
    mine.add(node_id("a"), 3, 0, 1)
    assert mine.has_room(3)
    mine.add(node_id("b"), 3, 0, 1)
    assert mine.open_stripes() == 0


def test_a_source_lets_every_stripe_out() -> None:
    mine = capacity(0, is_source=True)
    assert mine.slots == 4
    assert mine.open_stripes() == 0b1111


def test_the_strong_take_the_place_of_the_weak() -> None:
    mine = capacity(4)
    child = mine.add(node_id("weak"), 0, 0, 2)
    assert mine.weakest == 2
    assert mine.weaker(0, 3) is None
    assert mine.weaker(0, 4) is child
    assert mine.weaker(1, 100) is None
    mine.hand_over(child, 5.0)
    assert (mine.used, mine.leaving, mine.weakest) == (0, 1, NOBODY)
    assert mine.weaker(0, 100) is None
    assert mine.tick(4.0) == []
    assert mine.tick(5.0) == [child]


def test_nobody_without_slots_takes_a_place() -> None:
    mine = capacity(4)
    mine.add(node_id("leaf"), 0, 0, 0)
    assert mine.weaker(0, 0) is None
    assert mine.weaker(0, 1) is not None


def test_strong_children_are_served_first() -> None:
    mine = capacity(16)
    for name, slots in (("a", 1), ("b", 16), ("c", 4)):
        mine.add(node_id(name), 0, 0, slots)
    assert mine.targets[0] == (node_id("b"), node_id("c"), node_id("a"))


def test_a_backlog_that_lasts_costs_the_child_and_a_slot_until_it_is_calm() -> None:
    mine = capacity(8)
    child = mine.add(node_id("slow"), 0, 0, 1)
    assert mine.backlogged(child.node, 0, 0.5, 10.0) is None
    assert mine.backlogged(child.node, 0, 0.0, 10.5) is None  # it was a moment
    assert mine.backlogged(child.node, 0, 0.5, 11.0) is None
    assert mine.backlogged(child.node, 0, 0.6, 12.1) is child
    assert mine.slots == 7
    mine.tick(12.1 + LIMITS.calm_s)
    assert mine.slots == 8


def late(mine: Capacity, children: list[Child], *times: float) -> list[Child | None]:
    """Whom it sends away, at the last of these times, for each that waits."""
    found: list[Child | None] = []
    for now in times:
        found = []
        for child in children:
            gone = mine.backlogged(child.node, child.stripe, 0.5, now)
            if gone is not None:
                mine.hand_over(gone, now + LIMITS.keep_ms / 1000)
            found.append(gone)
    return found


def test_a_source_keeps_those_who_let_each_stripe_out_once_when_most_are_late() -> None:
    mine = capacity(8, is_source=True)
    children = [mine.add(node_id(f"c{stripe}"), stripe, 0, 1) for stripe in range(4)]
    assert late(mine, children, 10.0, 11.1, 12.2) == [None] * 4
    assert mine.slots < 8
    for child in children[:2]:
        mine.backlogged(child.node, child.stripe, 0.0, 12.3)
    assert late(mine, children[2:3], 13.4) == children[2:3]  # half of them: it may be themselves


def test_a_source_sends_away_who_waits_where_a_stripe_goes_out_twice() -> None:
    mine = capacity(8, is_source=True)
    children = [mine.add(node_id(f"c{index}"), index % 4, 0, 1) for index in range(5)]
    assert late(mine, children, 10.0, 11.1) == [children[0], None, None, None, None]


def test_of_those_who_wait_a_quarter_goes_at_a_time_the_weakest_first() -> None:
    mine = capacity(16)
    strong = [mine.add(node_id(f"s{index}"), index % 4, 0, 16) for index in range(12)]
    weak = [mine.add(node_id(f"w{index}"), index, 0, 1) for index in range(4)]
    gone = late(mine, [*strong, *weak], 10.0, 11.1)
    assert [child for child in gone if child is not None] == weak
    assert mine.slots == 12
    for child in weak:
        mine.remove(child.node, child.stripe)
    assert late(mine, strong, 12.0) == [None] * 12  # what is left has its second
    gone = late(mine, strong, 13.1)
    assert len([child for child in gone if child is not None]) == 4


def test_a_backlog_that_becomes_less_costs_nobody() -> None:
    mine = capacity(8)
    child = mine.add(node_id("slow"), 0, 0, 1)
    for step in range(8):
        waits_s = 0.6 - step * 0.06
        assert mine.backlogged(child.node, 0, waits_s, 10.0 + 0.5 * step) is None
    assert mine.slots == 8


def test_a_backlog_that_becomes_hardly_less_costs_the_child() -> None:
    mine = capacity(8)
    child = mine.add(node_id("slow"), 0, 0, 1)
    assert mine.backlogged(child.node, 0, 0.6, 10.0) is None
    assert mine.backlogged(child.node, 0, 0.6 - 0.9 * DRAINED_S, 11.0) is child


def test_a_backlog_costs_nobody_while_more_are_fed_than_there_are_slots_for() -> None:
    mine = capacity(4)
    leaving = mine.add(node_id("leaving"), 0, 0, 1)
    mine.hand_over(leaving, 12.0)
    staying = [mine.add(node_id(f"c{stripe}"), stripe, 0, 1) for stripe in range(4)]
    assert late(mine, staying, 10.0, 11.1, 11.9) == [None] * 4
    mine.remove(leaving.node, 0)
    assert late(mine, staying, 12.0, 12.8) == [None] * 4
    assert late(mine, staying, 13.0) == [staying[0], None, None, None]


def test_less_uplink_sends_the_weakest_away() -> None:
    mine = capacity(4)
    weak = mine.add(node_id("weak"), 0, 0, 1)
    mine.add(node_id("strong"), 1, 0, 9)
    assert mine.surplus() is None
    mine.set_uplink(1)
    assert mine.surplus() is weak


names = st.sampled_from([node_id(f"n{index}") for index in range(12)])
deeds = st.tuples(
    st.sampled_from(["add", "remove", "hand", "suspect", "take", "uplink", "backlog"]),
    names,
    st.integers(0, 3),
    st.integers(0, 12),
)


@given(st.lists(deeds, max_size=120), st.integers(0, 12), st.booleans())
def test_the_count_is_right_whatever_happens(
    history: list[tuple[str, NodeId, int, int]], slots: int, is_source: bool
) -> None:
    mine = capacity(slots, is_source=is_source)
    for now, (deed, node, stripe, number) in enumerate(history):
        child = mine.of[stripe].get(node)
        if deed == "add" and child is None and mine.has_room(stripe):
            mine.add(node, stripe, 0, number)
        elif deed == "remove":
            mine.remove(node, stripe)
        elif deed == "hand" and child is not None:
            mine.hand_over(child, now + 2.0)
        elif deed == "suspect" and child is not None:
            mine.hand_over(child, now + 2.0, is_suspected=True)
        elif deed == "take" and child is not None and mine.has_room(stripe):
            mine.take_back(child)
        elif deed == "uplink":
            mine.set_uplink(number)
            while (surplus := mine.surplus()) is not None:
                mine.hand_over(surplus, now + 2.0)
        elif deed == "backlog":
            mine.backlogged(node, stripe, number / 10, float(now))
        for each in mine.tick(float(now)):
            mine.remove(each.node, each.stripe)
        everybody = [each for children in mine.of for each in children.values()]
        assert mine.used == sum(each.leaving_at == math.inf for each in everybody)
        assert mine.used + mine.leaving == len(everybody)
        assert mine.suspected == sum(each.is_suspected for each in everybody)
        assert mine.used <= max(mine.slots, mine.given)
        staying = [each.slots for each in everybody if each.is_staying]
        assert mine.weakest == min(staying, default=NOBODY)
