"""The silence detector, on a clock that the test turns."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.link.liveness import Liveness

SILENCE_S = 1.2


def verdicts(liveness: Liveness, until_s: float, late_s: float = 0.0) -> list[tuple[float, str]]:
    """Each timer up to `until_s`, handled `late_s` after it was due."""
    seen: list[tuple[float, str]] = []
    while liveness.timer_s + late_s <= until_s:
        now = liveness.timer_s + late_s
        seen.append((now, liveness.handle_timer(now)))
        if seen[-1][1] == "dead":
            break
    return seen


def test_silence_means_pings_and_then_death_in_time() -> None:
    seen = verdicts(Liveness(0.0, SILENCE_S), until_s=10)
    assert [verdict for _, verdict in seen] == ["quiet", "quiet", "quiet", "dead"]
    assert SILENCE_S <= seen[-1][0] < 1.5


@given(heard=st.lists(st.floats(0.01, 1.1), max_size=20), late_s=st.floats(0, 0.2))
def test_death_comes_after_the_silence_and_before_one_and_a_half_seconds(
    heard: list[float], late_s: float
) -> None:
    liveness, now = Liveness(100.0, SILENCE_S), 100.0
    for gap in heard:
        last = now
        now += gap
        assert "dead" not in [verdict for _, verdict in verdicts(liveness, now, late_s)], last
        liveness.heard(now)
    died = verdicts(liveness, now + 10, late_s)[-1]
    assert died[1] == "dead"
    assert SILENCE_S <= died[0] - now <= SILENCE_S + late_s + 1e-6


def test_what_was_heard_just_now_needs_no_ping() -> None:
    liveness = Liveness(0.0, SILENCE_S)
    liveness.heard(0.29)
    assert liveness.handle_timer(liveness.timer_s) == "alive"


@given(pause_s=st.floats(0.31, 1000.0))
def test_after_its_own_pause_it_grants_one_more_silence(pause_s: float) -> None:
    liveness = Liveness(0.0, SILENCE_S)
    woken = liveness.timer_s + pause_s
    assert liveness.handle_timer(woken) == "quiet"
    seen = verdicts(liveness, woken + 10)
    assert seen[-1][1] == "dead"
    assert abs(seen[-1][0] - woken - SILENCE_S) < 1e-6


def test_silent_for_tells_the_time_since_the_last_byte() -> None:
    liveness = Liveness(5.0, SILENCE_S)
    liveness.heard(6.0)
    assert liveness.silent_for(6.5) == 0.5
