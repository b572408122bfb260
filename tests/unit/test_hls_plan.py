"""Where videos are cut, and the playlist that tells."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.media.hls_plan import LONGEST_S, MAX_SEGMENTS, by_keyframes, playlist, uniform

TIMES = st.fractions(0, 100_000, max_denominator=90_000)


@given(st.sets(TIMES, min_size=1, max_size=60), TIMES)
def test_cuts_at_keyframes_cover_the_video_in_order(times: set[Fraction], end: Fraction) -> None:
    keyframes = sorted(times)
    cuts = by_keyframes(keyframes, end)
    if cuts is not None:
        assert cuts[0] == keyframes[0] and set(cuts[:-1]) <= times and cuts[-1] >= end
        assert all(0 < b - a <= LONGEST_S for a, b in pairwise(cuts))


def test_keyframes_far_apart_are_no_place_to_cut() -> None:
    assert by_keyframes([Fraction(0), Fraction(60)], Fraction(70)) is None
    assert by_keyframes([Fraction(0)], Fraction(3600)) is None


def test_the_first_segments_are_short_then_longer() -> None:
    cuts = by_keyframes([Fraction(n, 2) for n in range(100)], Fraction(50))
    assert cuts is not None
    assert [float(b - a) for a, b in pairwise(cuts)][:7] == [1, 1, 2, 2, 4, 4, 4]


@settings(deadline=None, max_examples=30)  # thousands of exact fractions each
@given(TIMES, st.fractions(Fraction(1, 100), 10**7, max_denominator=1000))
def test_uniform_cuts_cover_the_video_and_are_bounded(start: Fraction, length: Fraction) -> None:
    cuts = uniform(start, start + length)
    assert (cuts[0], cuts[-1]) == (start, start + length)
    assert all(a < b for a, b in pairwise(cuts)) and len(cuts) <= MAX_SEGMENTS + 10


def test_the_playlist_is_vod_with_a_header() -> None:
    lines = playlist([2.0, 3.5]).splitlines()
    assert lines[0] == "#EXTM3U" and lines[-1] == "#EXT-X-ENDLIST"
    assert "#EXT-X-TARGETDURATION:4" in lines and '#EXT-X-MAP:URI="init.mp4"' in lines
    assert lines[-5:-1] == ["#EXTINF:2.000000,", "0.m4s", "#EXTINF:3.500000,", "1.m4s"]
