"""A hole is waited at until its deadline, whatever the publisher does."""

from headwater.overlay import Limits
from headwater.overlay.deadline import Deadline

LIMITS = Limits(deadline_s=1.2, still_s=0.5)
PART_S = 0.1


def flowing(until: float = 10.0) -> Deadline:
    """Of a stream that has a new part every 0.1 s."""
    deadline = Deadline(LIMITS, PART_S, 0.0)
    for seq in range(round(until / PART_S) + 1):
        deadline.exists(seq, seq * PART_S)
    return deadline


def test_it_counts_from_when_the_part_was_due_not_from_when_it_was_missed() -> None:
    assert flowing().ends_at(9.5, 10.0) == 10.7


def test_of_one_hole_it_stays_the_same_and_another_has_its_own() -> None:
    deadline = flowing()
    assert deadline.ends_at(9.5, 10.0) == deadline.ends_at(9.9, 10.2) == 10.7
    deadline.forget()
    assert deadline.ends_at(9.9, 10.2) == 11.1


def test_what_was_due_long_ago_or_is_not_yet_is_reckoned_as_of_now() -> None:
    assert flowing().ends_at(3.0, 10.0) == 10.0
    assert flowing().ends_at(11.0, 10.0) == 11.2


def test_after_a_silence_of_all_it_counts_from_the_end_of_that() -> None:
    for silent_s, ends_at in ((0.5, 10.7), (0.51, 10.51 + 1.2)):
        deadline = flowing()
        deadline.exists(101, 10.0 + silent_s)
        assert abs(deadline.ends_at(9.5, 10.6) - ends_at) < 1e-9


def test_a_silence_ends_once_though_what_is_old_comes_after_it() -> None:
    deadline = flowing()
    deadline.exists(110, 12.0)
    deadline.exists(105, 14.0)
    assert deadline.ends_at(10.1, 12.5) == 13.2


def test_parts_that_take_long_are_no_silence() -> None:
    deadline = Deadline(LIMITS, 1.0, 0.0)
    for seq in range(10):
        deadline.exists(seq, 1.0 * seq)
    assert abs(deadline.ends_at(8.5, 9.0) - 9.7) < 1e-9


def test_one_that_is_passed_is_not_waited_at_even_after_a_silence() -> None:
    deadline = flowing()
    deadline.exists(200, 20.0)
    deadline.pass_now()
    assert deadline.ends_at(19.0, 20.0) < 20.0
