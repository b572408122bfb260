"""What bad neighbours get: nothing is believed that costs the viewer, nothing grows without end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from overlay_alone import FULL, Alone, said
from overlay_net import LIVE, PART_S, Net, node_id, part_at

from headwater.errors import RemoteProtocolError
from headwater.overlay import Command, Deliver, Drop, Limits, Overlay, Pull, StartPush
from headwater.wire.ids import NodeId
from headwater.wire.live import (
    Accept,
    Hold,
    LiveHave,
    LiveJoin,
    LiveLeave,
    LivePeers,
    Path,
    Redirect,
    Subscribe,
    Unsubscribe,
)

A, B, C = node_id("a"), node_id("b"), node_id("c")


# Rules.


def test_a_flood_of_announcements_costs_the_link() -> None:
    alone = Alone()
    alone.meet(A)
    with pytest.raises(RemoteProtocolError):
        for edge in range(1000):
            alone.overlay.receive(A, LiveHave(LIVE, edge, FULL), alone.now)


def test_a_flood_of_subscribes_costs_the_link() -> None:
    alone = Alone()
    alone.be_fed_by(B)
    alone.meet(A)
    with pytest.raises(RemoteProtocolError):
        for first in range(100):
            alone.overlay.receive(A, Subscribe(LIVE, first % 4, first, 0), alone.now)


def test_an_hour_of_ordinary_talk_is_no_flood() -> None:
    alone = Alone()
    alone.meet(A)
    for tick in range(4 * 3600):
        alone.now += 0.25
        alone.overlay.receive(A, LiveHave(LIVE, 100 + tick, FULL), alone.now)
        alone.overlay.commands()


def test_a_stripe_that_is_none_costs_the_link() -> None:
    alone = Alone()
    alone.meet(A)
    with pytest.raises(RemoteProtocolError):
        alone.say(A, Subscribe(LIVE, 4, 0, 0))


def test_who_is_not_linked_or_takes_no_part_is_not_heard() -> None:
    alone = Alone()
    alone.overlay.connected(A, 0.01, 0.0)
    alone.overlay.commands()
    for node in (A, B):
        assert alone.say(node, Subscribe(LIVE, 0, 0, 9)) == []
        assert alone.say(node, LiveHave(LIVE, 5, FULL)) == []
    assert alone.say(B, LiveJoin(LIVE, 9, 9)) == []


# Loops.


def test_a_parent_that_has_me_above_it_is_not_taken() -> None:
    alone = Alone()
    out = alone.meet_and_listen(A, 100)
    first = said(out, Subscribe, A)[0]
    out = alone.say(A, Accept(LIVE, first.stripe, (B, node_id("me"))))
    assert said(out, Unsubscribe, A)
    assert alone.parents()[first.stripe] is None


def test_a_parent_that_comes_to_stand_below_me_is_left() -> None:
    alone = Alone()
    alone.be_fed_by(A)
    out = alone.say(A, Path(LIVE, 2, (B, node_id("me"))))
    assert said(out, Unsubscribe, A)
    assert alone.parents()[2] != A


def test_an_ancestor_is_not_fed() -> None:
    alone = Alone()
    alone.be_fed_by(A)
    alone.say(A, Path(LIVE, 1, (B, C)))
    alone.meet(C)
    out = alone.say(C, Subscribe(LIVE, 1, 101, 8))
    assert said(out, Redirect, C)
    assert not said(out, Accept, C)
    assert said(alone.say(C, Subscribe(LIVE, 0, 101, 8)), Accept, C)


@pytest.mark.parametrize("stripe", range(4))
def test_of_two_that_ask_each_other_one_becomes_the_child(stripe: int) -> None:
    net = Net(1)
    net.add("source", 8, is_source=True)
    for name in ("a", "b"):
        net.add(name, 8)
    net.mesh()
    net.run(3.0)
    for name, other in (("a", "b"), ("b", "a")):
        overlay = net[name].overlay
        feed = overlay._feeds.feeds[stripe]
        overlay._feeds.ask(feed, node_id(other), 0.01, 0, net.now)
        net.settle(net[name])
    net.run(2.0)
    net.check()
    assert net.loops() == []


# Those who do not deliver.


def test_who_accepts_and_gives_nothing_is_left_and_remembered() -> None:
    alone = Alone()
    out = alone.meet_and_listen(A, 100)
    for message in said(out, Subscribe, A):
        alone.say(A, Accept(LIVE, message.stripe, ()))
    alone.overlay.part_arrived(part_at(0), A, alone.now, is_pushed=False)
    for seq in range(90, 101):
        alone.overlay.part_arrived(part_at(seq), A, alone.now, is_pushed=False)
    alone.meet(B, free=8)
    asked: list[Subscribe] = []
    for tick in range(24):
        edge = 100 + tick
        out = alone.say(A, LiveHave(LIVE, edge, FULL))
        out += alone.say(B, LiveHave(LIVE, edge, FULL))
        out += alone.pass_time(0.1)
        asked += said(out, Subscribe, B)
        for pull in (c for c in out if isinstance(c, Pull) and c.node == B):
            for seq in pull.seqs:
                alone.overlay.part_arrived(part_at(seq), B, alone.now, is_pushed=False)
            alone.overlay.pulled(B, pull.seqs, alone.now)
    assert {message.stripe for message in asked} == {0, 1, 2, 3}
    report = {n.node: n for n in alone.overlay.report().neighbours}
    assert report[A].is_avoided
    assert not report[B].is_avoided
    played = alone.overlay.report().next
    assert played >= 118


def test_parts_that_come_a_second_time_from_the_same_node_cost_the_link() -> None:
    alone = Alone()
    alone.be_fed_by(A)
    out: list[Command] = []
    for seq in range(80, 101):
        for _ in range(4):
            out += alone.push(seq, A)
    assert any(isinstance(c, Drop) and c.hostile and c.node == A for c in out)


def test_a_part_that_was_pulled_meanwhile_is_no_offence() -> None:
    alone = Alone()
    alone.be_fed_by(A)
    alone.meet(B)
    out: list[Command] = []
    for seq in range(101, 301):
        alone.now += PART_S
        alone.overlay.part_arrived(part_at(seq), B, alone.now, is_pushed=False)
        out += alone.push(seq, A)
    assert not any(isinstance(c, Drop) for c in out)
    assert alone.parents() == [A, A, A, A]


def test_an_edge_far_ahead_is_asked_for_and_soon_not_believed() -> None:
    alone = Alone()
    alone.be_fed_by(A)
    alone.meet(B, edge=10**6)
    pulls = 0
    for seq in range(101, 161):
        out = alone.pass_time(PART_S) + alone.push(seq, A)
        alone.overlay.receive(B, LiveHave(LIVE, 10**6 + seq, FULL), alone.now)
        for pull in (c for c in out if isinstance(c, Pull)):
            pulls += 1
            alone.overlay.pulled(pull.node, pull.seqs, alone.now)
    assert pulls < 12
    assert alone.parents() == [A, A, A, A]
    assert alone.overlay.report().next == 161


@pytest.mark.parametrize("edge", [100 + 30, 2**40])
def test_an_edge_that_cannot_be_yet_keeps_nobody_from_what_others_have(edge: int) -> None:
    alone = Alone()
    alone.be_fed_by(A)
    alone.meet(B, edge=edge)
    alone.overlay.disconnected(A, alone.now)
    alone.meet(C, edge=104, free=0)
    out = alone.pass_time(0.6)  # by then they are due
    asked = {seq for c in out if isinstance(c, Pull) and c.node == C for seq in c.seqs}
    assert asked == {101, 102, 103, 104}


@pytest.mark.parametrize("behaviour", ["withholds", "frozen", "boasts", "lies", "replays"])
@pytest.mark.parametrize("seed", range(2))
def test_among_good_nodes_a_bad_one_does_no_harm(behaviour: str, seed: int) -> None:
    net = Net(seed)
    net.add("source", 8, is_source=True)
    for index in range(9):
        net.add(f"n{index}", 8)
    net.mesh()
    net.run(10.0)
    bad = max(
        (peer for peer in net.peers.values() if not peer.is_source),
        key=lambda peer: sum(len(s.children) for s in peer.overlay.report().stripes),
    )
    net.turn(bad.name, behaviour)
    began = net.now
    net.run(8.0)
    net.check(besides=bad.name)
    good = [peer for peer in net.peers.values() if peer is not bad and not peer.is_source]
    for peer in good:
        assert net.gap_s(peer.name, began, net.now) < 1.0
        assert peer.skipped == []
    if behaviour in ("withholds", "frozen"):
        stripe = bad.withholds if behaviour == "withholds" else 0
        fed = [p for p in good if p.overlay.report().stripes[stripe].parent == node_id(bad.name)]
        net.run(2.0)  # who has only just tried it leaves as well
        assert all(p.overlay.report().stripes[stripe].parent != node_id(bad.name) for p in fed)


# Memory.

SMALL = Limits(
    neighbours=8,
    known=8,
    pulls=8,
    probes=8,
    min_window_parts=64,
    max_window_parts=64,
    messages_per_s=10**9,
    messages_burst=10**9,
    subscribes_burst=10**9,
)
ids = st.integers(0, 40).map(lambda index: node_id(f"x{index}"))
seqs = st.integers(0, 2**40)
stripes = st.integers(0, 3)
names = st.lists(ids, max_size=32).map(tuple)
messages = st.one_of(
    st.builds(
        LiveJoin,
        st.just(LIVE),
        st.integers(0, 99),
        st.integers(0, 99),
        st.booleans(),
        st.integers(0, 9),
        st.integers(0, 15),
        st.integers(0, 15),
        st.integers(0, 99),
    ),
    st.builds(LiveLeave, st.just(LIVE)),
    st.builds(LivePeers, st.just(LIVE), names),
    st.builds(LiveHave, st.just(LIVE), seqs | st.integers(0, 300), st.binary(max_size=32)),
    st.builds(Subscribe, st.just(LIVE), stripes, seqs | st.integers(0, 300), st.integers(0, 99)),
    st.builds(Accept, st.just(LIVE), stripes, names),
    st.builds(Path, st.just(LIVE), stripes, names),
    st.builds(Redirect, st.just(LIVE), stripes, names, st.integers(0, 10_000)),
    st.builds(Unsubscribe, st.just(LIVE), stripes),
    st.builds(Hold, st.just(LIVE), stripes),
)
events = st.one_of(
    st.tuples(st.just("say"), ids, messages),
    st.tuples(st.just("link"), ids, st.none()),
    st.tuples(st.just("unlink"), ids, st.none()),
    st.tuples(st.just("push"), ids, st.integers(0, 400)),
    st.tuples(st.just("pull"), ids, st.integers(0, 400)),
    st.tuples(st.just("wait"), ids, st.integers(1, 30)),
)


def assert_bounded(overlay: Overlay) -> None:
    common, repair = overlay._common, overlay._repair
    limits = common.limits
    membership, window = overlay._membership, common.window
    assert len(common.partners) <= limits.neighbours
    assert len(membership._known) <= limits.known
    assert len(membership._failures) <= limits.known + len(membership._dialling)
    assert len(membership._fresh) <= limits.hints
    assert len(repair._asked) <= limits.pulls
    assert len(overlay._announcements._awaited) <= limits.probes
    assert window.bits.bit_length() <= window.width == 64
    assert len(window.keys) <= 65
    assert len(window.inits) <= limits.inits
    capacity = overlay._capacity
    assert capacity.used + capacity.leaving <= capacity.slots + max(1, capacity.slots // 4)
    for feed in overlay._feeds.feeds:
        assert len(feed.hinted) <= limits.hints
        assert len(feed.path) <= 33
        assert common.me not in feed.path


@settings(max_examples=150, deadline=None)
@given(st.lists(events, max_size=150), st.booleans())
def test_whatever_is_said_nothing_grows_and_rules_hold(
    history: list[tuple[str, NodeId, object]], is_fed: bool
) -> None:
    alone = Alone(slots=4, limits=SMALL)
    if is_fed:
        alone.be_fed_by(A)
    linked: set[NodeId] = set()
    played: list[int] = []
    pushes: set[tuple[NodeId, int]] = set()
    out: list[Command] = alone.overlay.commands()
    for deed, node, what in history:
        overlay, now = alone.overlay, alone.now
        if deed == "link":
            overlay.connected(node, None, now)
            linked.add(node)
        elif deed == "unlink":
            overlay.disconnected(node, now)
            linked.discard(node)
            pushes = {key for key in pushes if key[0] != node}
        elif deed == "wait":
            assert isinstance(what, int)
            out += alone.pass_time(what / 10)
        elif deed == "say":
            try:
                overlay.receive(node, what, now)  # type: ignore[arg-type]
            except RemoteProtocolError:
                overlay.disconnected(node, now)
                pushes = {key for key in pushes if key[0] != node}
        elif isinstance(what, int) and overlay.is_wanted(part_at(what), now):
            overlay.part_arrived(part_at(what), node, now, is_pushed=deed == "push")
        out += overlay.commands()
        for command in out:
            if isinstance(command, Deliver):
                played.append(command.seq)
            elif isinstance(command, StartPush):
                pushes.add((command.node, command.stripe))
            elif isinstance(command, Pull):
                overlay.pulled(command.node, command.seqs, now)
        out = []
        assert_bounded(overlay)
    assert played == sorted(set(played))


def test_names_beyond_the_bound_push_out_the_oldest() -> None:
    alone = Alone(limits=SMALL)
    alone.meet(A)
    for start in range(0, 1000, 20):
        alone.say(A, LivePeers(LIVE, tuple(node_id(f"p{start + i}") for i in range(20))))
        alone.pass_time(0.5)
        assert_bounded(alone.overlay)


def test_more_neighbours_than_it_can_have_are_sent_on() -> None:
    alone = Alone(limits=SMALL)
    out: list[Command] = []
    for index in range(20):
        node = node_id(f"n{index}")
        alone.overlay.connected(node, 0.01, 0.0)
        out += alone.say(node, LiveJoin(LIVE, 1, 1))
    drops = [command for command in out if isinstance(command, Drop)]
    assert len(drops) == 12
    assert not any(command.hostile for command in drops)
    assert len(said(out, LivePeers, drops[-1].node)) == 1


def test_pulls_have_a_budget() -> None:
    """Nobody pushes, everybody announces: about the allowed share of the stream is pulled."""
    alone = Alone()
    alone.meet(A)
    alone.meet(B)
    pulled = 0
    for edge in range(101, 701):
        alone.now += PART_S
        out: list[Command] = []
        for node in (A, B):
            out += alone.say(node, LiveHave(LIVE, edge, FULL))
        out += alone.pass_time(0.0)
        for pull in (c for c in out if isinstance(c, Pull)):
            pulled += len(pull.seqs)
            for seq in pull.seqs:
                alone.overlay.part_arrived(part_at(seq), pull.node, alone.now, is_pushed=False)
            alone.overlay.pulled(pull.node, pull.seqs, alone.now)
    limits = Limits()
    assert 100 <= pulled <= 600 * limits.repair_share + limits.repair_burst_s / PART_S + 1
