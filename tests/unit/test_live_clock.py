"""The source's clock, told from node to node: never more exact than it can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.live.clock import AGES_US_PER_S, MAX_ERROR_US, SourceClock

SOURCE_US = 1_700_000_000_000_000
S = 1_000_000


@given(
    skews=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=5),
    ways=st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 40_000)), min_size=5),
)
def test_along_a_chain_the_error_is_never_more_than_is_said(
    skews: list[int], ways: list[tuple[int, int]]
) -> None:
    above, above_skew = SourceClock(is_source=True), 0
    for skew, (there_us, back_us) in zip(skews, ways, strict=False):
        asked = SOURCE_US + skew
        reply = above.tell(SOURCE_US + there_us + above_skew, 0.0)
        assert reply is not None
        here = SourceClock(is_source=False)
        here.learn(reply, asked, asked + there_us + back_us, 0.0)
        told = here.tell(SOURCE_US + skew, 0.0)
        assert told is not None
        assert abs(told.clock_us + told.offset_us - SOURCE_US) <= told.error_us
        above, above_skew = here, skew


def test_a_source_knows_its_own_clock() -> None:
    clock = SourceClock(is_source=True)
    assert clock.since_s(SOURCE_US, SOURCE_US + 2 * S, 10**6) == 2.0


def test_nothing_is_told_before_anything_is_known() -> None:
    clock = SourceClock(is_source=False)
    assert clock.tell(SOURCE_US, 0.0) is None
    assert clock.since_s(SOURCE_US, SOURCE_US, 0.0) is None


def test_what_is_too_unsure_is_not_shown() -> None:
    clock, source = SourceClock(is_source=False), SourceClock(is_source=True)
    reply = source.tell(SOURCE_US, 0.0)
    assert reply is not None
    clock.learn(reply, SOURCE_US, SOURCE_US + 2 * MAX_ERROR_US + 10, 0.0)
    assert clock.since_s(SOURCE_US, SOURCE_US, 0.0) is None
    clock.learn(reply, SOURCE_US, SOURCE_US + 1000, 1.0)
    assert clock.since_s(SOURCE_US - S, SOURCE_US, 1.0) == pytest.approx(1.0, abs=0.001)
    assert clock.since_s(0, SOURCE_US, 1.0) is None, "the source did not say when"


def test_the_better_answer_is_kept_until_it_is_old() -> None:
    clock, source = SourceClock(is_source=False), SourceClock(is_source=True)
    reply = source.tell(SOURCE_US, 0.0)
    assert reply is not None
    clock.learn(reply, SOURCE_US, SOURCE_US + 1_000, 0.0)
    clock.learn(reply, SOURCE_US + 9, SOURCE_US + 20_009, 1.0)
    told = clock.tell(SOURCE_US, 1.0)
    assert told is not None
    assert told.error_us == 501 + AGES_US_PER_S
    clock.learn(reply, SOURCE_US, SOURCE_US + 20_000, 300.0)
    told = clock.tell(SOURCE_US, 300.0)
    assert told is not None
    assert told.error_us == 10_001


def test_no_delay_is_less_than_none() -> None:
    clock = SourceClock(is_source=True)
    assert clock.since_s(SOURCE_US + 5, SOURCE_US, 0.0) == 0.0
