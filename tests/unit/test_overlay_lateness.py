"""When a part is due, and how late neighbours are: no clock but our own."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.overlay.lateness import MAX_JITTER_S, Arrivals, Cadence

K, PART_S = 4, 0.1


def fed(cadence: Cadence, start: int, end: int, delay_s: float, clock_s: float = 0.0) -> None:
    for seq in range(start, end):
        at = clock_s + seq * PART_S + delay_s
        cadence.arrived(seq, seq * PART_S, at, is_timely=True)


def test_the_next_part_is_expected_a_part_later() -> None:
    cadence = Cadence(K, PART_S)
    fed(cadence, 0, 40, 0.3, clock_s=1000.0)
    assert abs(cadence.expected(40, 0.0) - (1000.0 + 4.0 + 0.3)) < 0.01
    assert max(cadence.jitter_s) < 0.02


def test_without_a_part_nothing_is_known() -> None:
    cadence = Cadence(K, PART_S)
    assert cadence.expected(7, 12.5) == 12.5
    assert cadence.lag_s(0) is None


def test_each_stripe_has_its_own_delay() -> None:
    cadence = Cadence(K, PART_S)
    for seq in range(80):
        late = 0.2 if seq % K == 2 else 0.0
        cadence.arrived(seq, seq * PART_S, seq * PART_S + late, is_timely=True)
    assert abs(cadence.expected(82, 0.0) - 8.4) < 0.02
    assert abs(cadence.expected(83, 0.0) - 8.3) < 0.02


def test_a_pause_of_the_source_is_no_lateness() -> None:
    cadence = Cadence(K, PART_S)
    fed(cadence, 0, 40, 0.1)
    for seq in range(40, 60):  # the media's time line stood still for 10 s
        cadence.arrived(seq, seq * PART_S, seq * PART_S + 10.1, is_timely=True)
    assert abs(cadence.expected(60, 0.0) - 16.1) < 0.05
    assert max(cadence.jitter_s) < 0.1


def test_what_is_often_late_is_waited_for() -> None:
    cadence = Cadence(K, PART_S)
    for seq in range(400):
        late = 0.3 if seq % 20 == 0 else 0.0
        cadence.arrived(seq, seq * PART_S, seq * PART_S + late, is_timely=True)
    assert cadence.jitter_s[0] > 0.15
    assert cadence.jitter_s[1] < 0.05


def test_a_repeated_part_of_a_stripe_that_is_new_tells_its_delay() -> None:
    cadence = Cadence(K, PART_S)
    for seq in range(40):  # of stripe 3 all are pulled
        at = 1000.0 + seq * PART_S + 0.1
        cadence.arrived(seq, seq * PART_S, at, is_timely=seq % K != 3)
    cadence.repeated(39, 1000.0 + 3.9 + 0.3)
    assert abs(cadence.expected(43, 0.0) - (1000.0 + 4.3 + 0.3)) < 0.01
    assert abs(cadence.expected(40, 0.0) - (1000.0 + 4.0 + 0.1)) < 0.01


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(-50, 50), st.booleans()), max_size=80))
def test_whatever_comes_tolerance_is_bounded(arrivals: list[tuple[int, float, bool]]) -> None:
    cadence, now = Cadence(K, PART_S), 100.0
    for seq, late, is_timely in arrivals:
        now += 0.05
        cadence.arrived(seq, max(0.0, now + late), now, is_timely=is_timely)
        cadence.repeated(max(0, seq - 3), now)
        cadence.relearn(seq % K, late, abs(late))
    assert all(0 <= jitter <= MAX_JITTER_S for jitter in cadence.jitter_s)


def test_arrivals_are_forgotten_when_they_are_old() -> None:
    arrivals = Arrivals()
    for seq in range(500):
        arrivals.note(seq, float(seq))
    assert arrivals.when(499) == 499.0
    assert arrivals.when(400) == 400.0
    assert arrivals.when(300) is None
