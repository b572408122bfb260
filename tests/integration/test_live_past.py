"""Going back further than this node was there: what others have is fetched, checked, and played."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from live_makers import Encoder, check_order, on_air, read_parts, watching
from live_parts import STEP_US, part, stream
from parties import party, until

from headwater.live.part import LivePart
from headwater.live.past import AHEAD, MAX_BYTES, Past


class Others:
    """Somebody who has these parts."""

    def __init__(self, parts: Sequence[LivePart]) -> None:
        self.parts = {each.seq: each for each in parts}
        self.asked: list[tuple[int, ...]] = []

    async def fetch(self, seqs: Sequence[int]) -> Sequence[LivePart]:
        self.asked.append(tuple(seqs))
        return [self.parts[seq] for seq in seqs if seq in self.parts]


def test_parts_come_some_at_a_time_and_stop_at_what_is_here() -> None:
    async def scenario() -> None:
        others = Others(stream(100))
        past = Past(others.fetch)
        for seq in range(1, 40):
            found = await past.find(seq, 40)
            assert found == others.parts[seq]
        assert others.asked == [
            tuple(range(1, 1 + AHEAD)),
            tuple(range(1 + AHEAD, 1 + 2 * AHEAD)),
            tuple(range(1 + 2 * AHEAD, 40)),
        ]
        assert await past.find(1000, 2000) is None

    asyncio.run(scenario())


@pytest.mark.parametrize(("at_us", "key"), [(55 * STEP_US, 51), (0, 1), (11 * STEP_US, 11)])
def test_a_time_is_found_by_guessing(at_us: int, key: int) -> None:
    async def scenario() -> None:
        past = Past(Others(stream(500)).fetch)
        found = await past.key_at(at_us, (480, 480 * STEP_US))
        assert found is not None
        assert found.seq == key

    asyncio.run(scenario())


def test_a_time_is_found_though_parts_are_of_unlike_length() -> None:
    async def scenario() -> None:
        short = [part(1 + n, group=1 + n - n % 10, pts_us=n * 20_000) for n in range(200)]
        long = [
            part(201 + n, group=201 + n - n % 10, pts_us=4_000_000 + n * 200_000)
            for n in range(100)
        ]
        past = Past(Others([part(0), *short, *long]).fetch)
        found = await past.key_at(2_000_000, (300, 23_800_000))
        assert found is not None
        assert abs(found.info.pts_us - 2_000_000) < 2_500_000

    asyncio.run(scenario())


def test_no_more_is_held_than_its_bound() -> None:
    async def scenario() -> None:
        size = 1_000_000
        others = Others([part(n, group=0, payload=bytes(size)) for n in range(1, 60)])
        past = Past(others.fetch)
        for seq in range(1, 60):
            await past.find(seq, 60)
            assert past._bytes <= MAX_BYTES + size
            assert past._bytes == sum(len(each.frame) for each in past._held.values())

    asyncio.run(scenario())


@pytest.mark.parametrize("start", [0, 25, -0.9, -100.0])
def test_a_late_viewer_goes_back_to_before_it_came(tmp_path: Path, start: Any) -> None:
    async def scenario() -> None:
        encoder = Encoder()
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a, encoder) as (live, _),
        ):
            await until(lambda: len(encoder.made) > 150)
            async with watching(b, live) as late:
                first = (await read_parts(late, 2))[1].seq
                assert first > 120
                window = late.window()
                assert window is not None
                assert window[0] <= 1
                async with watching(b, live, start) as view:
                    parts = await read_parts(view, first - 20)
                    check_order(parts, encoder)
                    begin = parts[1].seq
                    assert begin == {0: 1, 25: 21, -100.0: 1}.get(start, begin)
                    assert begin < first or start == -0.9
                view.seek("edge")
                assert b.lives.counters.parts_forged == 0

    asyncio.run(scenario())
