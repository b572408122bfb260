"""Many overlays together, on a virtual clock: everybody is fed, in order, and stays so."""

from itertools import pairwise

import pytest
from overlay_net import Net, Peer, node_id

from headwater.overlay import Limits

NEVER = float("inf")


def star(nodes: int, *, seed: int = 1, slots: int = 8, source: int = 8, stripes: int = 4) -> Net:
    """A source and so many nodes, all linked."""
    net = Net(seed, stripes=stripes)
    net.add("source", source, is_source=True)
    for index in range(nodes):
        net.add(f"n{index}", slots)
    net.mesh()
    return net


def viewers(net: Net) -> list[Peer]:
    return [peer for peer in net.peers.values() if peer.is_up and not peer.is_source]


def assert_all_play(net: Net, seconds: float = 4.0, *, share: float = 0.95) -> None:
    """Let it run, and see that everybody gets (nearly) all, and nobody is in a loop."""
    before = {peer.name: len(peer.played) for peer in viewers(net)}
    net.run(seconds)
    net.check()
    assert net.loops() == []
    for peer in viewers(net):
        played = len(peer.played) - before.get(peer.name, 0)
        assert played >= share * seconds * 10 - 2, f"{peer.name} got {played} parts"


@pytest.mark.parametrize("stripes", [1, 2, 4, 7])
def test_everybody_is_fed_however_many_stripes(stripes: int) -> None:
    net = star(10, stripes=stripes, slots=2 * stripes, source=2 * stripes)
    net.run(8.0)
    assert_all_play(net)


def test_one_slot_each_makes_a_chain() -> None:
    net = star(6, stripes=1, slots=1, source=1)
    net.run(12.0)
    assert_all_play(net)
    depths = sorted(len(peer.overlay.report().stripes[0].ancestors) for peer in viewers(net))
    assert depths == [1, 2, 3, 4, 5, 6]


def test_nothing_is_lost_or_said_twice_in_a_chain_of_links() -> None:
    net = Net(3)
    order = ["source", "a", "b", "c", "d"]
    net.allowed = lambda one, other: abs(order.index(one) - order.index(other)) == 1
    for name in order:
        net.add(name, 4, is_source=name == "source")
    net.mesh()
    net.run(10.0)
    last = net["d"]
    seqs = [seq for _, seq in last.played]
    assert seqs == [0, *range(seqs[1], net.seq)][: len(seqs)]
    assert last.skipped == []
    assert seqs[-1] >= net.seq - 2


@pytest.mark.parametrize("seed", range(6))
def test_whose_only_other_neighbour_is_a_child_is_fed_from_there_in_time(seed: int) -> None:
    net = Net(seed)
    near = {"source": ("left", "right"), "viewer": ("left", "right")}
    net.allowed = lambda a, b: b in near.get(a, ()) or a in near.get(b, ())
    for name in ("source", "left", "viewer"):
        net.add(name, 8, is_source=name == "source")
    net.mesh()
    net.run(3.0)
    net.add("right", 8)
    net.link("right", "viewer")
    net.run(0.3)
    below = [stripe.children for stripe in net["viewer"].overlay.report().stripes]
    assert below.count((node_id("right"),)) >= 3
    net.link("right", "source")
    net.run(0.1)
    net.kill("left")
    died = net.now
    net.run(4.0)
    assert net["viewer"].skipped == []
    assert net.gap_s("viewer", died - 0.2, net.now) < 1.2


def test_who_joins_late_starts_at_once_at_the_newest_group() -> None:
    net = star(5)
    net.run(10.0)
    newest = net.seq
    net.add("late", 4)
    net.link("late", "n1")
    net.link("late", "n3")
    began = net.now
    net.run(1.0)
    (_, init), (at, key) = net["late"].played[:2]
    assert init == 0
    assert newest - 11 <= key <= newest + 1
    assert at - began < 0.5


def test_a_relay_carries_and_plays_nothing() -> None:
    net = Net(2)
    net.add("source", 4, is_source=True)
    net.add("relay", 8, wants_delivery=False)
    net.add("viewer", 0)
    net.link("source", "relay")
    net.link("relay", "viewer")
    net.run(6.0)
    assert net["relay"].played == []
    assert len(net["viewer"].played) > 40
    assert net["source"].overlay.report().viewers == 2  # the source looks on, and the viewer


def test_viewers_are_counted_up_the_tree() -> None:
    net = star(12, slots=4, source=4)
    net.run(20.0)
    counts = []
    for _ in range(21):  # while one moves, it is counted twice or not at all
        net.run(1.0)
        counts.append(net["source"].overlay.report().viewers)
    assert sorted(counts)[10] == 13


def test_weak_nodes_end_up_as_leaves_though_they_came_first() -> None:
    net = Net(5)
    net.add("source", 4, is_source=True)
    for index in range(6):
        net.add(f"weak{index}", 0)
    net.mesh()
    net.run(3.0)
    for index in range(3):
        net.add(f"strong{index}", 12)
        net.mesh()
        net.run(1.0)
    net.run(12.0)
    assert_all_play(net)
    for stripe in net["source"].overlay.report().stripes:
        assert all(net.peers[child].name.startswith("strong") for child in stripe.children)


@pytest.mark.parametrize("seed", range(3))
def test_little_uplink_is_enough_when_it_is_used_well(seed: int) -> None:
    """Half of the nodes give nothing; there are eleven slots for every ten that are needed."""
    net = Net(seed)
    net.add("source", 8, is_source=True)
    for index in range(16):
        net.add(f"n{index}", 0 if index % 2 else 8)
    net.mesh()
    net.run(20.0)
    assert_all_play(net)


@pytest.mark.parametrize("seed", range(6))
def test_a_relay_that_dies_is_hardly_noticed(seed: int) -> None:
    net = star(11, seed=seed)
    net.run(12.0 + 0.07 * seed)
    source = node_id("source")
    fed = [
        (peer, [s.parent for s in peer.overlay.report().stripes if s.parent != source])
        for peer in viewers(net)
    ]
    viewer, parents = max(fed, key=lambda each: len(each[1]))
    assert parents[0] is not None
    died = net.now
    net.kill(net.peers[parents[0]].name)
    net.run(4.0)
    assert viewer.skipped == []
    assert net.gap_s(viewer.name, died - 0.2, net.now) < 0.6
    assert_all_play(net)


def test_a_third_dying_at_once_is_survived() -> None:
    net = star(12, seed=4)
    net.run(12.0)
    died = net.now
    for index in range(4):
        net.kill(f"n{index}")
    net.run(4.0)
    for peer in viewers(net):
        assert net.gap_s(peer.name, died - 0.2, net.now) < 0.9
    assert_all_play(net)


def test_a_frozen_relay_is_left_and_when_it_wakes_it_plays_on() -> None:
    net = star(8)
    net.run(10.0)
    frozen = next(
        net.peers[c].name for s in net["source"].overlay.report().stripes for c in s.children
    )
    net.silence_s = NEVER  # the link stays
    net.freeze(frozen)
    began = net.now
    net.run(6.0)
    for peer in viewers(net):
        if peer.name != frozen:
            assert net.gap_s(peer.name, began - 0.2, net.now) < 0.9
    net.thaw(frozen)
    net.run(8.0)
    assert_all_play(net)


def test_who_leaves_says_so_and_nobody_misses_a_part() -> None:
    net = star(8)
    net.run(10.0)
    leaver = max(
        viewers(net), key=lambda p: sum(len(s.children) for s in p.overlay.report().stripes)
    )
    at = net.now
    leaver.overlay.leave(net.now)
    net.settle(leaver)
    leaver.is_up = False
    net.run(3.0)
    for peer in viewers(net):
        assert peer.skipped == []
        assert net.gap_s(peer.name, at - 0.2, net.now) < 0.5


def test_a_node_that_slept_for_a_minute_starts_over_at_the_edge() -> None:
    net = star(6)
    net.run(10.0)
    net.freeze("n2")
    net.run(60.0)
    net.thaw("n2")
    net.run(6.0)
    assert net["n2"].overlay.report().next >= net.seq - 5
    net.check()


@pytest.mark.parametrize("still_s", [1.0, 1.25, 1.49])
def test_a_publisher_that_stands_still_for_a_moment_costs_nobody_a_part(still_s: float) -> None:
    for seed in range(8):
        net = star(5, seed=seed, slots=12, source=12)
        net.run(8.0)
        net.freeze("source")  # its encoder goes on
        net.run(still_s)
        net.thaw("source")
        net.run(3.0)
        for peer in viewers(net):
            assert peer.skipped == []
            assert peer.overlay.report().next >= net.seq - 5


def test_two_halves_that_meet_again_heal() -> None:
    net = star(10, seed=6)
    net.run(10.0)
    half = {f"n{index}" for index in range(5)}
    for a in list(net.peers.values()):
        for b in list(net.peers.values()):
            if (a.name in half) != (b.name in half):
                net.unlink(node_id(a.name), node_id(b.name))
    net.allowed = lambda one, other: (one in half) == (other in half)
    net.run(6.0)
    net.allowed = lambda one, other: True
    net.mesh()
    net.run(10.0)
    assert_all_play(net)


def test_a_new_encoder_is_a_new_init_for_everybody() -> None:
    net = star(5)
    net.run(6.0)
    net.new_epoch()
    net.run(4.0)
    for peer in viewers(net):
        assert net.init in [seq for _, seq in peer.played]
        assert peer.skipped == []
    assert_all_play(net)


@pytest.mark.parametrize("seed", range(5))
def test_when_nothing_is_made_nobody_runs_about(seed: int) -> None:
    """A stripe may still find a better parent; none is taken for dead, and nothing is asked for."""
    net = star(8, seed=seed)
    net.run(10.0)
    net.is_live = False
    net.run(2.0)
    before = [p.overlay.report().counters for p in viewers(net)]
    net.run(10.0)
    after = [p.overlay.report().counters for p in viewers(net)]
    assert [(c.grafts, c.pulls) for c in before] == [(c.grafts, c.pulls) for c in after]
    net.go_on()
    net.run(3.0)
    assert_all_play(net)


def test_little_is_said() -> None:
    """At 4 Mbit/s, 3 % of what is received may be words."""
    net = star(9)
    net.run(10.0)
    before = {p.name: p.overlay.report().counters.control_bytes for p in viewers(net)}
    net.run(10.0)
    for peer in viewers(net):
        said = peer.overlay.report().counters.control_bytes - before[peer.name]
        assert said < 0.015 * 10 * 500_000


def test_once_all_is_calm_parents_stay() -> None:
    net = star(12, seed=9)
    net.run(40.0)
    before = [[s.parent for s in p.overlay.report().stripes] for p in viewers(net)]
    net.run(20.0)
    after = [[s.parent for s in p.overlay.report().stripes] for p in viewers(net)]
    moved = sum(
        a != b for x, y in zip(before, after, strict=True) for a, b in zip(x, y, strict=True)
    )
    assert moved <= 8, "of 44 feeds in 20 s"


def test_lost_pushes_are_pulled() -> None:
    net = star(8)
    net.push_loss = 0.02
    net.run(20.0)
    for peer in viewers(net):
        seqs = [seq for _, seq in peer.played][2:]
        assert all(b == a + 1 for a, b in pairwise(seqs))
        assert peer.skipped == []


def test_the_window_is_forgotten_bit_by_bit() -> None:
    net = Net(1, limits=Limits(window_s=5.0, min_window_parts=64))
    net.add("source", 4, is_source=True)
    net.add("a", 4)
    net.mesh()
    net.run(60.0)
    assert net["a"].forgot > net.seq - 64 - 40


def test_who_only_carries_is_no_viewer_until_somebody_watches_there() -> None:
    net = star(4)
    for peer in viewers(net):
        peer.overlay.watched(False)
    net.run(8.0)
    assert net["source"].overlay.report().viewers == 1
    net["n2"].overlay.watched(True)
    net.run(8.0)
    assert net["source"].overlay.report().viewers == 2


def test_a_round_trip_that_is_measured_later_counts() -> None:
    net = Net(4)
    net.add("source", 8, is_source=True)
    net.add("a", 8)
    net.link("a", "source")
    net.run(1.0)
    [before] = net["a"].overlay.report().neighbours
    net["a"].overlay.measured(node_id("source"), 0.5)
    net["a"].overlay.measured(node_id("nobody"), 0.5)
    [after] = net["a"].overlay.report().neighbours
    assert before.rtt_s < 0.5 == after.rtt_s
