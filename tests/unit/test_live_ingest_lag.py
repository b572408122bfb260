"""What is late because we are slow is told from what the source itself delayed."""

from headwater.media.live_aac import Grid
from headwater.media.live_lag import Lag

FRAME_US = 33_333


def run(lag: Lag, count: int, *, late_us: int, was_due: bool, start: int = 0) -> list[bool]:
    behind = []
    for number in range(start, start + count):
        at_us = number * FRAME_US
        lag.saw(at_us, 10_000_000 + at_us + late_us, was_due=was_due)
        behind.append(lag.is_behind)
    return behind


def test_what_is_piled_up_is_left_out_until_it_is_made_up_for() -> None:
    lag = Lag()
    assert not any(run(lag, 30, late_us=0, was_due=True))
    assert all(run(lag, 5, late_us=500_000, was_due=False, start=30))
    assert all(run(lag, 1, late_us=200_000, was_due=False, start=35))
    assert not any(run(lag, 5, late_us=0, was_due=True, start=36))


def test_a_source_that_is_slow_itself_is_never_behind() -> None:
    lag = Lag()
    for number in range(300):
        at_us, now_us = number * FRAME_US, 10_000_000 + 2 * number * FRAME_US
        lag.saw(at_us, now_us, was_due=True)
        assert not lag.is_behind
        lag.saw(at_us, now_us + 500, was_due=False)
        assert not lag.is_behind
        assert now_us - lag.capture_us(at_us) < 350_000


def test_captured_when_the_quickest_piece_came() -> None:
    lag = Lag()
    for number, late_us in enumerate((40_000, 5_000, 90_000, 30_000)):
        lag.saw(number * FRAME_US, 10_000_000 + number * FRAME_US + late_us, was_due=True)
    at_us = 3 * FRAME_US
    assert 10_005_000 <= lag.capture_us(at_us) - at_us < 10_006_000


def test_sound_keeps_its_place_in_line() -> None:
    grid = Grid(48_000)
    grid.start(1_000_000, 5_000_000)
    assert grid.hole(1_010_000) == 480, "the first is placed exactly"
    grid.skip(480)
    assert grid.take(1024) == 240_480
    assert grid.hole(1_030_000) == 0, "a millisecond off is rounding"
    assert grid.hole(1_531_334) > 23_000
    assert grid.hole(900_000) < 0
    assert grid.hole(100_000_000) == 480_000, "ten seconds at most"
