"""Waits between dials."""

from headwater.node.neighbour_backoff import BACKOFF_MAX_S, BACKOFF_MIN_S, STEADY_S, Backoff


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(lambda: 0.0)
    waits = [backoff.next_s() for _ in range(12)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == BACKOFF_MAX_S


def test_chance_cuts_a_wait_by_up_to_a_half() -> None:
    assert Backoff(lambda: 1.0).next_s() == BACKOFF_MIN_S / 2


def test_only_a_link_that_held_brings_the_short_waits_back() -> None:
    backoff = Backoff(lambda: 0.0)
    for _ in range(5):
        backoff.next_s()
    backoff.lived(STEADY_S / 2)
    assert backoff.next_s() > 1
    backoff.lived(STEADY_S)
    assert backoff.next_s() == BACKOFF_MIN_S
