"""The newest parts in memory: bounded in bytes and time, in whatever order they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_parts import STEP_US, part, stream

from headwater.live.ring import Ring
from headwater.live.runs import Runs

SIZE = len(part(1).frame)


@given(st.permutations(range(31)))
def test_what_came_in_any_order_is_kept_in_order(order: list[int]) -> None:
    ring, parts = Ring(), stream(30)
    for at in order:
        assert ring.add(parts[at])
        assert not ring.add(parts[at])
    assert [kept.seq for kept in ring.since(0)] == list(range(31))
    assert [kept.seq for kept in ring.since(25)] == list(range(25, 31))
    assert (ring.edge, ring.newest_key(), ring.newest_key(20), ring.next_key(2)) == (30, 21, 11, 11)
    assert (ring.next_key(22), ring.newest_key(0), ring.get(31)) == (None, None, None)
    assert ring.held_bytes == sum(len(kept.frame) for kept in parts)


@given(order=st.permutations(range(61)), most=st.integers(1, 40))
def test_no_more_bytes_than_its_bound(order: list[int], most: int) -> None:
    ring, parts = Ring(max_bytes=most * SIZE), stream(60)
    for at in order:
        ring.add(parts[at])
        spare = 2 * SIZE  # the newest and its init, however large
        assert ring.held_bytes <= max(most * SIZE, spare) + SIZE
        assert ring.held_bytes == sum(len(kept.frame) for kept in ring.since(0))
        keys = [kept.seq for kept in ring.since(0) if kept.info.is_key]
        assert ring.newest_key() == (keys[-1] if keys else None)
    assert ring.edge == 60
    assert ring.get(0) is not None, "its init stays"


def test_no_older_than_its_bound() -> None:
    ring = Ring(max_s=2.0)
    for kept in stream(100):
        ring.add(kept)
    assert [kept.seq for kept in ring.since(0)] == [0, *range(80, 101)]
    assert not ring.add(part(50, group=41)), "too old to be kept at all"


def test_the_newest_part_is_kept_however_large() -> None:
    ring = Ring(max_bytes=10)
    ring.add(part(0))
    ring.add(part(1, payload=b"x" * 1000))
    assert [kept.seq for kept in ring.since(0)] == [0, 1]


@pytest.mark.parametrize(("at_us", "key"), [(0, 1), (11 * STEP_US, 11), (10**9, 21)])
def test_a_time_is_found_at_its_keyframe(at_us: int, key: int) -> None:
    ring = Ring()
    for kept in stream(30):
        ring.add(kept)
    assert ring.key_at(at_us) == key
    assert Ring().key_at(at_us) is None


@given(st.sets(st.integers(0, 60), min_size=1))
def test_runs_tell_the_next_one(numbers: set[int]) -> None:
    runs = Runs()
    for number in sorted(numbers):
        runs.add(number)
        runs.add(number - 1)
    for number in range(-1, 62):
        later = [n for n in numbers if n > number]
        assert runs.next_after(number) == (min(later) if later else None)
    assert runs.last == max(numbers)


def test_runs_are_bounded() -> None:
    runs = Runs(most=3)
    for number in range(0, 20, 2):
        runs.add(number)
    assert runs.next_after(-1) == 14
    assert Runs().last == -1
