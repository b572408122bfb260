"""Where a video is cut for HLS, and the playlist that says so. Pure. Source: RFC 8216.

Times are exact (`Fraction`, seconds of the file's own timeline), so that a cut compares equal to
the keyframe that it was made at, and segments meet without a gap or an overlap.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

__all__ = ["LONGEST_S", "by_keyframes", "playlist", "uniform"]

RAMP_S = (Fraction(1), Fraction(1), Fraction(2), Fraction(2))
"""The first segments are short: the first picture waits for the first of them."""
STEADY_S = Fraction(4)
LONGEST_S = Fraction(20)
"""Keyframes further apart than this make segments that are too slow to come and to keep."""
MAX_SEGMENTS = 10_000


def _target_s(number: int) -> Fraction:
    return RAMP_S[number] if number < len(RAMP_S) else STEADY_S


def by_keyframes(keyframes: Sequence[Fraction], end: Fraction) -> list[Fraction] | None:
    """Segment starts, each at a keyframe, and the end; None when keyframes are too far apart."""
    cuts = [keyframes[0]]
    for time in keyframes:
        if time - cuts[-1] >= _target_s(len(cuts) - 1) and time < end:
            cuts.append(time)
    cuts.append(max(end, cuts[-1] + Fraction(1, 1000)))
    longest = max(b - a for a, b in pairwise(cuts))
    return cuts if longest <= LONGEST_S and len(cuts) <= MAX_SEGMENTS else None


def uniform(start: Fraction, end: Fraction) -> list[Fraction]:
    """Segment starts and the end, wherever the keyframes are."""
    steady = max(STEADY_S, (end - start) / MAX_SEGMENTS)
    cuts = [start]
    while (rest := end - cuts[-1]) > 0:
        step = min(max(_target_s(len(cuts) - 1), steady if len(cuts) > len(RAMP_S) else 0), rest)
        cuts.append(end if rest - step < Fraction(1, 2) else cuts[-1] + step)
    return cuts


def playlist(durations_s: Sequence[float]) -> str:
    """A VOD playlist of fMP4 segments `0.m4s`, `1.m4s`, ... after `init.mp4`."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{math.ceil(max(durations_s))}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init.mp4"',
    ]
    for number, duration in enumerate(durations_s):
        lines += [f"#EXTINF:{duration:.6f},", f"{number}.m4s"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])
