"""An encoder that is slower than its source leaves pictures out; its delay stays small."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from live_clips import Clip, joined, picture, play

from headwater.media.live_item import MICROS, Item, Tracks
from headwater.media.live_maker import Maker
from headwater.media.live_options import IngestState, LiveOptions, MadePart
from headwater.media.live_pipe import Said, job_of

START_US = 1_000_000_000
CLIP = Clip(size=(320, 180))


class Slow:
    """Pictures that pile up: each takes `cost_us` of a clock of our own to encode."""

    def __init__(self, count: int, cost_us: int) -> None:
        self._count, self._cost_us = count, cost_us
        self.now_us = START_US
        self.made: list[tuple[MadePart, int]] = []

    def items(self) -> Iterator[Item]:
        for number in range(self._count):
            at_us = number * 1_000_000 // 30
            is_early = self.now_us < START_US + at_us
            self.now_us = max(self.now_us, START_US + at_us)
            before = len(self.made)
            frame = picture(CLIP, number)
            frame.pts, frame.time_base = at_us, MICROS
            yield Item(True, frame, at_us, is_early)
            self.now_us += self._cost_us if len(self.made) > before or not number else 2_000

    def say(self, said: Said) -> None:
        if not isinstance(said, IngestState):
            self.made.append((said, self.now_us))


@pytest.mark.parametrize("cost_us", [10_000, 60_000, 200_000])
def test_pictures_are_left_out_and_the_delay_stays(
    cost_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(300, cost_us)
    monkeypatch.setattr("headwater.media.live_maker.now_us", lambda: slow.now_us)
    maker = Maker(job_of(LiveOptions("test:", part_ms=10), 0), slow.say)
    maker.run(Tracks(True, False), slow.items())
    parts = [part for part, _ in slow.made]
    for before, after in pairwise(parts):
        assert before.pts_us + before.duration_us == after.pts_us
    numbers = play(joined(parts)).numbers
    assert numbers == sorted(set(numbers), key=lambda n: n or 0)
    is_slow = cost_us > 33_333
    assert (len(numbers) < 300) == is_slow
    late_us = [now_us - part.capture_us for part, now_us in slow.made if not part.is_init]
    assert max(late_us) < 700_000
