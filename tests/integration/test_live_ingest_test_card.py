"""`test:` shows the time: what is read back from its pictures is when they were made."""

import asyncio
import time
from itertools import pairwise

import pytest
from live_clips import joined, play
from live_runs import made_of, parts

from headwater.media.live_ingest import LiveOptions


def test_the_time_is_burnt_in_and_the_beep_is_in_step() -> None:
    options = LiveOptions("test:", height=180)
    before_ms = time.time_ns() // 1_000_000
    run = asyncio.run(made_of(options, parts(12)))
    after_ms = time.time_ns() // 1_000_000
    played = play(joined(run.parts))
    times = [number for number in played.numbers if number is not None]
    assert len(times) == len(played.numbers) >= 12  # a busy machine leaves pictures out
    assert all(before_ms <= number <= after_ms for number in times)
    assert all(earlier < later for earlier, later in pairwise(times))
    assert run.parts[1].capture_us // 1000 == pytest.approx(times[0], abs=30)
    for beep_s in played.beeps_s:
        shown = max(n for n, at_s in enumerate(played.shown_s) if at_s <= beep_s + 0.001)
        if beep_s > 0.01:  # one that was on when it began tells nothing
            upcoming = times[min(shown + 1, len(times) - 1)]  # much later where some were left out
            assert (upcoming + 100) // 1000 * 1000 >= times[shown] - 100, "no whole second there"


def test_size_and_rate_as_asked() -> None:
    run = asyncio.run(made_of(LiveOptions("test:", height=240, fps=10), parts(5)))
    played = play(joined(run.parts))
    assert played.size == (426, 240)
    assert played.shown_s[:3] == pytest.approx([0, 0.1, 0.2], abs=0.001)
