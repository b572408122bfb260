"""The simulator itself: clock, uplinks, network and players, with a stand-in for the overlay."""

from itertools import islice

import pytest
from stand_in import Star, star

from headwater.live.spare import SPARE_S
from headwater.sim import run
from headwater.sim.chance import chance, spread_evenly
from headwater.sim.clock import Clock
from headwater.sim.link import BURST, PUSH, REPAIR, Flow, Link, Parcel
from headwater.sim.network import HANDSHAKES, SILENCE_S, Network
from headwater.sim.peer import Peer, World
from headwater.sim.player import BUFFER_S, SETTLE_S, Player
from headwater.sim.population import slots_of
from headwater.sim.record import Record
from headwater.sim.stream import LIVE, Format, Stream
from headwater.sim.tally import Bins
from headwater.sim.uplink import Uplink
from headwater.wire.ids import NodeId
from headwater.wire.live import GetParts


def test_events_of_one_moment_happen_in_the_order_in_which_they_were_set() -> None:
    clock = Clock()
    seen: list[str] = []
    for name in "bca":
        clock.at(1.0, seen.append, name)
    clock.at(0.5, seen.append, "first")
    clock.run(0.9)
    assert (seen, clock.now) == (["first"], 0.9)
    clock.run(2.0)
    assert (seen, clock.now) == (["first", "b", "c", "a"], 2.0)


def test_what_is_set_for_the_past_happens_now() -> None:
    clock = Clock()
    seen: list[float] = []
    clock.run(5.0)
    clock.at(1.0, lambda: seen.append(clock.now))
    clock.run(6.0)
    assert seen == [5.0]


def test_each_purpose_has_numbers_of_its_own() -> None:
    assert chance(1, "a").random() == chance(1, "a").random()
    assert len({chance(seed, name).random() for seed in (1, 2) for name in "ab"}) == 4


def _peers(loss: float = 0.0, *, nat: int = 0, count: int = 3) -> tuple[Clock, Network, list[Peer]]:
    """The last `nat` of them are behind NAT."""
    clock, record = Clock(), Record()
    network = Network(clock, chance(1, "network"), record.tally, loss)
    world = World(clock, network, Stream(Format()), record)
    peers = []
    for index in range(count):
        peer = Peer(
            world,
            NodeId(bytes([index]) * 32),
            uplink_bps=8e6,
            slots=4,
            place=(index / count, 0.0),
            is_nat=index >= count - nat,
            is_source=index == 0,
        )
        network.stations[peer.id] = peer
        peers.append(peer)
    for peer in peers:
        peer.start(star(peer, chance(1, "x")), [])
    return clock, network, peers


def test_a_link_is_up_after_one_and_a_half_round_trips() -> None:
    clock, network, (a, b, _) = _peers()
    network.dial(a, b.id)
    took_s = HANDSHAKES * network.delay_s(a, b)
    clock.run(took_s - 0.001)
    assert not a.links
    clock.run(took_s)
    assert list(a.links) == [b.id]
    assert list(b.links) == [a.id]


def test_behind_nat_one_is_reached_by_whom_a_common_neighbour_introduces() -> None:
    clock, network, (a, b, c) = _peers(nat=1)
    network.dial(a, c.id)
    clock.run(1.0)
    assert not a.links
    network.dial(c, b.id)
    network.dial(a, b.id)
    clock.run(2.0)
    network.dial(a, c.id)
    clock.run(3.0)
    assert set(a.links) == {b.id, c.id}


def test_a_killed_node_is_noticed_after_silence_a_closed_one_at_once() -> None:
    clock, network, (a, b, c) = _peers()
    network.dial(a, b.id)
    network.dial(a, c.id)
    clock.run(1.0)
    c.leave()
    b.kill()
    clock.run(1.0 + network.delay_s(a, c))
    assert list(a.links) == [b.id]
    clock.run(0.99 + SILENCE_S)
    assert a.links
    clock.run(1.0 + SILENCE_S)
    assert not a.links


def test_a_mended_cut_keeps_its_link() -> None:
    clock, network, (a, b, _) = _peers()
    network.dial(a, b.id)
    clock.run(1.0)
    network.cut(a.links[b.id])
    clock.run(1.5)
    network.mend(a.links[b.id])
    clock.run(10.0)
    assert a.links
    assert b.links


def test_who_asks_gets_what_the_children_leave_and_else_hears_that_it_is_busy() -> None:
    clock, network, (a, b, _) = _peers()
    told: list[tuple[int, bool]] = []

    class Told(Star):
        def pulled(
            self, node: NodeId, seqs: tuple[int, ...], now: float, *, is_busy: bool = False
        ) -> None:
            told.append((len([seq for seq in seqs if b.has(seq)]), is_busy))

    network.dial(a, b.id)
    a.make(a.world.stream.make_init(0.0))
    while a.edge < 20:
        for info in a.world.stream.make(0.0):
            a.make(info)
    clock.run(1.0)
    b.core = Told(b)
    link = b.links[a.id]
    for ticket, after_s in ((1, 0.0), (2, 0.0), (3, SPARE_S)):
        clock.run(clock.now + after_s)
        first = 1 + 6 * (ticket - 1)
        link.asked[ticket] = tuple(range(first, first + 6))
        network.ask(link, ticket, GetParts(LIVE, link.asked[ticket]))
    clock.run(clock.now + 1.0)
    assert told == [(6, False), (0, True), (6, False)]


WORD, PATIENCE_S = -1, 1.5


def _uplink(rate: float) -> tuple[Clock, Uplink, Link, list[tuple[int, float]], list[float]]:
    clock, _, (a, b, _) = _peers()
    link, other = Link(a, b, 0.01), Link(b, a, 0.01)
    link.other, other.other = other, link
    link.pushes = {0: 1}
    left: list[tuple[int, float]] = []
    told: list[float] = []

    def sent(flow: Flow, parcel: Parcel, left_s: float) -> None:
        left.append((-1 if parcel.is_word else parcel.seq, round(left_s, 6)))

    def tell(flow: Flow, stripe: int, waited_s: float) -> None:
        told.append(round(waited_s, 6))

    return clock, Uplink(clock, rate, PATIENCE_S, sent, tell), link, left, told


def _parcel(seq: int, now: float = 0.0, kind: int = PUSH) -> Parcel:
    return Parcel(seq, 1000, now, 0, 1, kind)


def test_parts_leave_one_after_the_other_repairs_first_bursts_last() -> None:
    clock, uplink, link, left, _ = _uplink(rate=10_000)
    link.asked[1] = link.other.asked[1] = (2, 4)
    uplink.put(link.flow, _parcel(1))
    uplink.put(link.flow, _parcel(2, kind=BURST))
    uplink.put(link.flow, _parcel(3))
    uplink.put(link.flow, _parcel(4, kind=REPAIR))
    clock.run(1.0)
    assert left == [(1, 0.1), (4, 0.2), (3, pytest.approx(0.3)), (2, pytest.approx(0.4))]


def test_a_backlog_is_told_while_it_lasts_and_what_is_too_late_is_left_out() -> None:
    clock, uplink, link, left, told = _uplink(rate=1_000)
    for seq in range(4):
        uplink.put(link.flow, _parcel(seq))
    clock.run(10.0)
    assert [seq for seq, _ in left] == [0, 1, WORD, WORD]
    assert uplink.late == 2
    assert max(told) > PATIENCE_S - 0.2
    assert told[-1] == 0.0


def test_a_word_is_sent_for_what_a_child_has_got_elsewhere() -> None:
    clock, uplink, link, left, _ = _uplink(rate=10_000)
    for seq in range(3):
        uplink.put(link.flow, _parcel(seq))
    link.spared.update((1, 3))
    clock.run(1.0)
    uplink.put(link.flow, _parcel(3, now=1.0))
    uplink.put(link.flow, _parcel(4, now=1.0))
    clock.run(2.0)
    assert [seq for seq, _ in left] == [0, WORD, 2, WORD, 4]
    assert not link.spared


def test_a_stopped_stream_takes_nothing_of_the_uplink() -> None:
    clock, uplink, link, left, _ = _uplink(rate=10_000)
    for seq in range(4):
        uplink.put(link.flow, _parcel(seq))
    del link.pushes[0]
    clock.run(10.0)
    assert [seq for seq, _ in left] == [0]


def test_a_player_stalls_once_and_plays_on_later() -> None:
    player = Player()
    for seq in range(20):
        assert player.deliver(seq, seq / 10, seq / 10 + 0.1)
    assert not player.deliver(20, 2.0, 2.0 + 0.1 + BUFFER_S + 0.3)
    assert (player.stalls, round(player.stalled_s, 6)) == (1, 0.3)
    assert player.deliver(21, 2.1, 2.1 + 0.1 + BUFFER_S + 0.2)
    assert player.stalls == 1


def test_a_player_catches_up_after_a_stall() -> None:
    player = Player()
    for seq in range(20):
        player.deliver(seq, seq / 10, seq / 10 + 0.1)
    player.deliver(20, 2.0, 2.0 + 0.1 + BUFFER_S + 0.3)
    for seq in range(30, 200):
        player.deliver(seq, seq / 10, seq / 10 + 0.1)
    assert not player.deliver(200, 20.0, 20.0 + 0.1 + BUFFER_S + 0.1)


def test_the_delay_is_learnt_before_anything_counts_as_a_stall() -> None:
    player = Player()
    player.deliver(0, 0.0, 1.0)
    assert player.deliver(1, 0.1, 1.0 + SETTLE_S / 2)


def test_bins_give_percentiles_and_a_rising_curve() -> None:
    bins = Bins(0.01, 100)
    for hundredth in range(100):
        bins.add(hundredth / 100 + 0.005)
    bins.add(1e6)
    assert abs(bins.percentile(0.5) - 0.51) < 0.011
    curve = bins.curve()
    assert curve == sorted(curve)
    assert curve[-1][1] == 1.0
    assert Bins(0.01, 100).curve() == []


def test_slots_are_what_four_fifths_of_an_uplink_carry() -> None:
    assert [slots_of(bps, Format()) for bps in (0.25e6, 2e6, 5e6, 20e6)] == [0, 1, 4, 16]


def test_four_viewers_of_a_strong_source_are_fed_by_it_and_no_more_than_five_of_a_crowd() -> None:
    few, many = (run("steady", nodes, make_core=star).figures for nodes in (4, 12))
    assert few["fed_ratio"] == 1.0
    assert few["continuity_percent"] == 100.0
    assert few["depth_max"] == 1
    assert 3.9 < few["source_egress_ratio"] < 4.1
    assert many["fed_ratio"] <= 5 / 12


@pytest.mark.parametrize("nodes", [10, 40, 1000])
def test_every_mesh_has_its_share_of_strong_nodes_and_of_those_behind_nat(nodes: int) -> None:
    for seed in range(20):
        drawn = list(islice(spread_evenly(chance(seed, "shares")), nodes))
        strong = sum(uplink >= 0.8 for uplink, _ in drawn)
        hidden = sum(nat < 0.6 for _, nat in drawn)
        assert abs(strong - 0.2 * nodes) <= 3
        assert abs(hidden - 0.6 * nodes) <= 4
