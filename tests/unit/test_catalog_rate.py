"""Allowances: a burst at once, a rate in the long run, and what was granted."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.catalog.rate import Allowance, Allowances


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=60))
def test_no_more_passes_than_burst_and_rate_allow(asked: list[tuple[float, int]]) -> None:
    allowance, now, passed = Allowance(10.0, 50.0, 0.0), 0.0, 0
    for wait, count in asked:
        now += wait
        if allowance.take(count, now):
            passed += count
    assert passed <= 50 + 10 * now + 1e-6


def test_a_refused_take_costs_nothing() -> None:
    allowance = Allowance(1.0, 10.0, 0.0)
    assert not allowance.take(11, 0.0)
    assert allowance.take(10, 0.0)
    assert not allowance.take(1, 0.5)
    assert allowance.take(1, 1.0)


def test_what_was_granted_comes_on_top_and_is_used_first() -> None:
    allowance = Allowance(1.0, 10.0, 0.0)
    allowance.grant(100)
    assert allowance.take(95, 0.0)
    assert allowance.take(15, 0.0)
    assert not allowance.take(1, 0.0)


def test_it_is_full_again_after_a_while() -> None:
    allowance = Allowance(1.0, 10.0, 0.0)
    assert allowance.take(5, 0.0)
    assert not allowance.is_full(4.0)
    assert allowance.is_full(5.0)


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    allowance = Allowance(1.0, 10.0, 100.0)
    assert allowance.take(10, 100.0)
    assert not allowance.take(1, 50.0)
    assert not allowance.take(1, 100.5)


def test_each_has_its_own_allowance() -> None:
    allowances = Allowances(1.0, 2.0, 10)
    assert [allowances.take(b"anna", 0.0) for _ in range(3)] == [True, True, False]
    assert allowances.take(b"ben", 0.0)
    assert allowances.take(b"anna", 1.0)


def test_they_are_counted_up_to_a_bound() -> None:
    allowances = Allowances(1.0, 2.0, 3)
    taken = [allowances.take(b"author %d" % n, 0.0) for n in range(10)]
    assert (sum(taken), len(allowances)) == (3, 3)
    assert allowances.take(b"author 0", 0.0), "who is known goes on"
    assert allowances.take(b"newcomer", 5.0), "all the others are full again and forgotten"
    assert len(allowances) == 1
