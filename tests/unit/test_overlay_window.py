"""Which parts are here, and what the player gets of them: against a plain model."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from overlay_net import part_at

from headwater.overlay.commands import Command, Deliver, Skip
from headwater.overlay.delivery import Delivery
from headwater.overlay.window import Window

WIDTH = 64
seqs = st.lists(st.integers(0, 200), max_size=120)


@given(seqs)
def test_the_window_tells_what_a_set_would(arrivals: list[int]) -> None:
    window, held, edge = Window(WIDTH, 8), set[int](), -1
    for seq in arrivals:
        is_new = seq not in held and (seq > edge - WIDTH or seq == 0)
        assert window.is_wanted(seq) or not is_new or seq == 0
        assert window.add(part_at(seq)) == is_new
        held.add(seq)
        edge = max(edge, seq)
        assert window.edge == edge
    for seq in range(max(0, edge - WIDTH + 1), edge + 5):
        assert window.has(seq) == (seq in held)
    low, high = max(0, edge - 40), edge + 3
    assert window.missing(low, high) == [s for s in range(low, high + 1) if s not in held]
    first = next((s for s in range(low, edge + 2) if s not in held), low)
    assert edge < 0 or window.run(low) == first


@given(seqs)
def test_its_memory_is_bounded(arrivals: list[int]) -> None:
    window = Window(WIDTH, 4)
    for seq in arrivals:
        window.add(part_at(1000 * seq, group_parts=1))
        assert window.bits.bit_length() <= WIDTH
        assert len(window.keys) <= WIDTH + 1
        window.add(part_at(1000 * seq, init=1000 * seq))
        assert len(window.inits) <= 4


def test_what_is_told_reads_back() -> None:
    window = Window(WIDTH, 4)
    for seq in (3, 5, 6, 9):
        window.add(part_at(seq))
    bits = int.from_bytes(window.told_bits(256), "little")
    assert [9 - i for i in range(bits.bit_length()) if bits >> i & 1] == [9, 6, 5, 3]


def test_an_init_of_any_age_is_taken() -> None:
    window = Window(WIDTH, 4)
    window.add(part_at(1000))
    assert window.init == 0
    assert not window.is_wanted(5)
    assert not window.add(part_at(5))
    assert window.is_wanted(0)
    assert window.add(part_at(0))
    assert window.has(0) and not window.is_wanted(0)
    assert not window.add(part_at(0))


def play(arrivals: list[int], skip_after: set[int]) -> list[Command]:
    window, out = Window(256, 8), list[Command]()
    delivery = Delivery(window, has_player=True)
    for place, seq in enumerate(arrivals):
        window.add(part_at(seq))
        delivery.advance(out)
        if place in skip_after and delivery.next >= 0:
            delivery.skip(window.edge - 20, out)
    return out


@settings(max_examples=200)
@given(
    st.permutations(range(60)),
    st.sets(st.integers(0, 59), max_size=20),
    st.sets(st.integers(0, 59), max_size=6),
)
def test_parts_are_played_once_in_order_and_every_gap_is_told(
    order: list[int], lost: set[int], skip_after: set[int]
) -> None:
    arrivals = [seq for seq in order if seq not in lost]
    out = play(arrivals, skip_after)
    played = [c.seq for c in out if isinstance(c, Deliver)]
    assert played == sorted(set(played))
    assert set(played) <= set(arrivals)
    skips = {c.first: c.next for c in out if isinstance(c, Skip)}
    if played:
        assert played[0] == 0
    for before, after in pairwise(played[1:]):
        assert after == before + 1 or skips[before + 1] == after
        if after != before + 1:
            assert part_at(after).is_key


@given(st.permutations(range(40)))
def test_whatever_the_order_all_is_played(order: list[int]) -> None:
    key = min(seq for seq in range(1, 40) if part_at(seq).is_key)
    played = [c.seq for c in play([0, key, *order], set()) if isinstance(c, Deliver)]
    assert played == list(range(40))


def test_a_player_starts_at_a_keyframe_with_its_init() -> None:
    window, out = Window(256, 8), list[Command]()
    delivery = Delivery(window, has_player=True)
    for seq in (15, 12, 11, 13, 14):
        window.add(part_at(seq))
        delivery.advance(out)
    assert not out
    window.add(part_at(0))
    delivery.advance(out)
    assert out == [Deliver(0), *map(Deliver, range(11, 16))]


def test_over_a_restart_of_the_encoder_the_new_init_is_played_first() -> None:
    window, out = Window(256, 8), list[Command]()
    delivery = Delivery(window, has_player=True)
    for seq in (0, 1, 2):
        window.add(part_at(seq))
    delivery.advance(out)
    for seq in (21, 23, 32):  # 20 is the new init; 21, 31 are keyframes
        window.add(part_at(seq, init=20, epoch=1))
    assert not delivery.skip(0, out)
    window.add(part_at(20, init=20, epoch=1))
    assert delivery.skip(0, out)
    assert out[3:] == [Skip(3, 20), Deliver(20), Deliver(21)]


def test_a_relay_has_no_player_and_goes_through_the_same() -> None:
    window, out = Window(256, 8), list[Command]()
    delivery = Delivery(window, has_player=False)
    for seq in (0, 1, 2, 5, 11):
        window.add(part_at(seq))
        delivery.advance(out)
    assert delivery.next == 3
    assert delivery.skip(0, out)
    assert delivery.next == 12
    assert not out
