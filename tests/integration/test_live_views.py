"""What a player reads: in order, from where it asked, skipped when it is slow, told of gaps."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_parts import STEP_US, part, stream

from headwater.live.counters import LiveCounters
from headwater.live.limits import LiveLimits
from headwater.live.part import Fragment, LivePart
from headwater.live.runs import Runs
from headwater.live.shelf import Shelf
from headwater.live.spool import Spool
from headwater.live.view import Ended, Gap, LiveView, Start
from headwater.wire.live import MAX_PART_BYTES


class FakeSession:
    """A session of which the test says what was delivered."""

    def __init__(self, spool: Spool | None, limits: LiveLimits) -> None:
        self.shelf, self.delivered = Shelf(spool, limits), Runs()
        self.counters, self.news = LiveCounters(), asyncio.Event()
        self.edge_us, self.is_over, self.entry, self.past = 0, False, None, None

    def deliver(self, *parts: LivePart) -> None:
        for kept in parts:
            self.shelf.add(kept)
            self.delivered.add(kept.seq)
            self.edge_us = kept.info.pts_us
            if self.shelf.spool is not None:
                self.shelf.spool.append([kept])
        self.tell()

    async def find(self, seq: int, until: int) -> LivePart | None:
        return await self.shelf.find(seq)

    def tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    def window(self) -> None:
        return None


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "live", None, 0)
    yield spool
    spool.close()


def session_of(spool: Spool | None = None, **limits: Any) -> FakeSession:
    return FakeSession(spool, LiveLimits(**limits))


def view_of(session: FakeSession, start: Start = "edge", lag_s: float = 2.0) -> LiveView:
    return LiveView(session, start, lag_s, lambda _: None)  # type: ignore[arg-type]


async def read(view: LiveView, count: int) -> list[int | str]:
    """Numbers of parts, `gap N`, `end`."""
    said: list[int | str] = []
    async with asyncio.timeout(5):
        while len(said) < count:
            step = await view.next()
            match step:
                case Gap(next_seq):
                    said.append(f"gap {next_seq}")
                case Ended():
                    said.append("end")
                case LivePart():
                    said.append(step.seq)
                case Fragment(info):
                    said.append(f"{info.seq} to {info.seq + info.more}")
    return said


@pytest.mark.parametrize(
    ("start", "first"),
    [("edge", 21), (0, 1), (5, 11), (21, 21), (-1.5, 11), (-100.0, 1), (-0.0, 21)],
)
def test_it_begins_with_the_init_and_a_keyframe(start: Start, first: int) -> None:
    async def scenario() -> None:
        session = session_of()
        session.deliver(*stream(30))
        view = view_of(session, start)
        assert await read(view, 4) == [0, first, first + 1, first + 2]

    asyncio.run(scenario())


def test_it_waits_for_the_first_part_and_for_each_next_one() -> None:
    async def scenario() -> None:
        session, parts = session_of(), stream(3)
        view = view_of(session)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read(view, 4))
            for kept in parts:
                await asyncio.sleep(0)
                session.deliver(kept)
        assert reading.result() == [0, 1, 2, 3]

    asyncio.run(scenario())


def test_it_ends_when_all_was_read() -> None:
    async def scenario() -> None:
        session = session_of()
        session.deliver(*stream(3))
        session.is_over = True
        assert await read(view_of(session), 5) == [0, 1, 2, 3, "end"]
        empty = session_of()
        empty.is_over = True
        assert await read(view_of(empty), 1) == ["end"]

    asyncio.run(scenario())


def test_parts_that_never_came_are_a_gap_before_the_next_keyframe() -> None:
    async def scenario() -> None:
        session, parts = session_of(), stream(40)
        view = view_of(session)
        session.deliver(*parts[:15])
        assert await read(view, 15 - 11 + 1) == [0, *range(11, 15)]
        session.deliver(*parts[21:23])
        assert await read(view, 3) == ["gap 21", 21, 22]

    asyncio.run(scenario())


def test_a_new_encoder_is_an_init_in_its_place() -> None:
    async def scenario() -> None:
        session = session_of()
        view = view_of(session)
        session.deliver(*stream(10))
        assert await read(view, 11) == list(range(11))
        session.deliver(part(11, init=11), part(12, init=11), part(13, init=11, group=12))
        assert await read(view, 3) == [11, 12, 13]
        late = view_of(session)
        assert await read(late, 3) == [11, 12, 13]

    asyncio.run(scenario())


def test_a_new_encoder_behind_a_gap() -> None:
    async def scenario() -> None:
        session = session_of()
        view = view_of(session)
        session.deliver(*stream(5))
        assert await read(view, 6) == [0, *range(1, 6)]
        session.deliver(part(11, init=11), part(12, init=11))
        assert await read(view, 3) == ["gap 11", 11, 12]

    asyncio.run(scenario())


def test_who_reads_too_slowly_is_skipped_to_the_newest_keyframe() -> None:
    async def scenario() -> None:
        session, parts = session_of(), stream(80)
        view = view_of(session, lag_s=2.0)
        session.deliver(*parts[:6])
        assert await read(view, 6) == [0, 1, 2, 3, 4, 5]
        session.deliver(*parts[6:26])
        assert await read(view, 1) == [6], "2.0 s behind is not too slow"
        session.deliver(*parts[26:40])
        assert await read(view, 3) == ["gap 31", 31, 32]
        assert session.counters.players_skipped == 1

    asyncio.run(scenario())


def test_who_watches_shifted_in_time_is_not_skipped(spool: Spool) -> None:
    async def scenario() -> None:
        session, parts = session_of(spool, ring_s=1.0), stream(80)
        session.deliver(*parts)
        view = view_of(session, -6.0)
        assert await read(view, 62) == [0, *range(11, 72)][:62]
        view.seek("edge")
        assert await read(view, 3) == [0, 71, 72]
        view.seek(15)
        assert await read(view, 3) == [0, 21, 22]

    asyncio.run(scenario())


def test_what_was_given_up_meanwhile_is_a_gap() -> None:
    async def scenario() -> None:
        session, parts = session_of(ring_s=2.0), stream(100)
        session.deliver(*parts[:15])
        view = view_of(session, 1)
        assert await read(view, 3) == [0, 1, 2]
        session.deliver(*parts[15:])
        assert await read(view, 3) == ["gap 81", 81, 82]

    asyncio.run(scenario())


def test_times_are_those_of_the_live() -> None:
    session = session_of()
    session.deliver(*stream(30))
    assert session.edge_us == 30 * STEP_US


# Fragments in several parts.


def cut(first: int, count: int, **changes: Any) -> list[LivePart]:
    """A keyframe in so many parts."""
    return [
        part(first + n, group=first, more=count - 1 - n, pts_us=first * STEP_US, **changes)
        for n in range(count)
    ]


def test_a_fragment_comes_whole_once_all_of_it_is_here() -> None:
    async def scenario() -> None:
        session, key = session_of(), cut(1, 3)
        session.deliver(part(0), *key[:2])
        view = view_of(session)
        assert await read(view, 1) == [0]
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(view.next())
            await asyncio.sleep(0.01)
            assert not reading.done()
            session.deliver(key[2], part(4, group=1))
        whole = reading.result()
        assert isinstance(whole, Fragment)
        assert whole.info == key[0].info
        assert whole.payload == b"".join(each.payload for each in key)
        assert await read(view, 1) == [4]

    asyncio.run(scenario())


def test_a_fragment_that_never_came_whole_is_a_gap() -> None:
    async def scenario() -> None:
        session, key = session_of(), cut(1, 3)
        session.deliver(part(0), key[0], key[1], part(4, group=1), part(5), part(6, group=5))
        assert await read(view_of(session, 0), 4) == [0, "gap 5", 5, 6]

    asyncio.run(scenario())


def test_a_live_that_ends_in_a_fragment_ends_before_it() -> None:
    async def scenario() -> None:
        session, key = session_of(), cut(5, 3)
        session.deliver(part(0), part(1), part(2, group=1), part(3, group=1), part(4, group=1))
        session.deliver(*key[:2])
        view = view_of(session, 0)
        assert await read(view, 5) == [0, 1, 2, 3, 4]
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read(view, 1))
            await asyncio.sleep(0)
            session.is_over = True
            session.tell()
        assert reading.result() == ["end"]

    asyncio.run(scenario())


def test_a_player_that_goes_elsewhere_does_not_wait_for_the_rest() -> None:
    async def scenario() -> None:
        session, key = session_of(), cut(5, 3)
        session.deliver(part(0), part(1), part(2, group=1), part(3, group=1), part(4, group=1))
        session.deliver(key[0])
        view = view_of(session)
        assert await read(view, 1) == [0]
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read(view, 2))
            await asyncio.sleep(0)
            view.seek(1)
            session.tell()
        assert reading.result() == [0, 1]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "second", [part(2), part(2, group=1), part(2, group=1, more=2), part(2, group=0, more=1)]
)
def test_parts_that_do_not_belong_together_are_a_gap(second: LivePart) -> None:
    async def scenario() -> None:
        session, key = session_of(), cut(1, 3)
        session.deliver(part(0), key[0], second, key[2], part(4), part(5, group=4))
        assert await read(view_of(session, 0), 4) == [0, "gap 4", 4, 5]

    asyncio.run(scenario())


def test_a_fragment_is_not_larger_than_a_part_may_be() -> None:
    async def scenario() -> None:
        half = bytes(MAX_PART_BYTES // 2)
        session = session_of(ring_bytes=10 * MAX_PART_BYTES)
        session.deliver(part(0), *cut(1, 2, payload=half), part(3), part(4, group=3))
        view = view_of(session, 0)
        assert await read(view, 2) == [0, "1 to 2"]
        session = session_of(ring_bytes=10 * MAX_PART_BYTES)
        large = cut(1, 2, payload=half + b"1")
        session.deliver(part(0), *large, part(3), part(4, group=3))
        assert await read(view_of(session, 0), 4) == [0, "gap 3", 3, 4]

    asyncio.run(scenario())
