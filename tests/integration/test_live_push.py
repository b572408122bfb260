"""Pushing to a child: as it came, in order; one that is slow is skipped and disturbs nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from live_parts import part, stream
from parties import until

from headwater.link.memory import MemoryLink, Network
from headwater.link.port import Link, LinkClosed, Stream
from headwater.live.children import Children
from headwater.live.counters import LiveCounters
from headwater.live.limits import LiveLimits
from headwater.live.part import LivePart, next_pushed
from headwater.live.ring import Ring
from headwater.wire.frames import HEADER_BYTES, decode, frame_length
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.live import Push
from headwater.wire.messages import request_decoder

LIVE = LiveId(bytes(32))
LARGE = 100_000
PATIENCE_S = 0.5


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeNeighbour:
    """As much of one as pushing needs."""

    def __init__(self, link: MemoryLink) -> None:
        self.node, self.link, self.rtt_s = link.peer, link, 0.0
        self.silence_s = 0.0

    def heard(self) -> None:
        pass

    def silent_for(self, now: float) -> float:
        return self.silence_s


class World:
    """One parent with one child, in one stripe."""

    def __init__(self, near: MemoryLink, far: Link, group: asyncio.TaskGroup) -> None:
        self.far, self.clock, self.ring = far, Clock(), Ring()
        self.counters = LiveCounters()
        limits = LiveLimits()
        self.children = Children(
            *(LIVE, 1, self.ring, group, self.counters, limits, PATIENCE_S, self.clock),
            lambda _, is_suspected: self.suspicions.append(is_suspected),
        )
        self.suspicions: list[bool] = []
        self.pushes = 0
        self.neighbour = FakeNeighbour(near)

    def start(self, first: int) -> None:
        self.children.start(self.neighbour, 0, first)  # type: ignore[arg-type]

    def push(self, *parts: LivePart) -> None:
        for each in parts:
            self.ring.add(each)
            self.children.push(each, [self.neighbour.node])

    async def pushed(self) -> Stream:
        """The child's end of the next push stream."""
        stream = await self.far.accept_stream()
        size = frame_length(await stream.read_exact(HEADER_BYTES))
        push = decode(await stream.read_exact(size), request_decoder)
        assert isinstance(push, Push) and (push.live, push.stripe) == (LIVE, 0)
        assert push.number > self.pushes
        self.pushes = push.number
        return stream


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    network = Network()
    parent, child = network.endpoint(NodeId(b"p" * 32)), network.endpoint(NodeId(b"c" * 32))
    near = await parent.connect(child.node, child.addresses())
    far = await child.accept()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        made = World(near, far, group)
        yield made
        made.children.stop_all()


async def take(stream: Stream, count: int, *, says_so: bool = True) -> list[int]:
    """Read so many parts: their numbers; -1 - number of one that is left out."""
    seqs: list[int] = []
    for _ in range(count):
        head = await next_pushed(stream)
        assert head is not None
        if isinstance(head, int):
            seqs.append(-1 - head)
            continue
        assert len(await stream.read_exact(head.frame_bytes)) == head.frame_bytes
        seqs.append(head.info.seq)
        if says_so:
            await stream.write(b"\1")
    return seqs


def large(seq: int, group: int) -> LivePart:
    return part(seq, group=group, payload=bytes(LARGE))


def test_kept_parts_then_new_ones_as_they_came() -> None:
    async def scenario() -> None:
        async with world() as w:
            parts = stream(30)
            w.push(*parts[:20])
            w.start(11)
            stream_ = await w.pushed()
            assert await take(stream_, 9) == list(range(11, 20))
            w.push(*parts[20:])
            assert await take(stream_, 11) == list(range(20, 31))
            await until(lambda: w.children.waits_s(w.clock.now) == [0.0])
            assert w.children.check(w.clock.now) == []
            assert w.counters.parts_pushed == 20

    asyncio.run(scenario())


def test_while_nothing_waits_a_part_is_written_as_it_is_pushed() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.start(0)
            stream_ = await w.pushed()
            for n in range(3):
                w.push(part(n))
                assert w.counters.parts_pushed == n + 1  # without a turn of the loop
            w.children.leave_out(w.neighbour.node, [3])
            w.push(part(3), part(4))
            assert w.counters.parts_pushed == 3
            assert await take(stream_, 5) == [0, 1, 2, -1 - 3, 4]
            w.push(part(5))
            assert w.counters.parts_pushed == 5
            assert await take(stream_, 1) == [5]
            assert w.counters.parts_left_out == 1

    asyncio.run(scenario())


def test_what_does_not_fit_waits_and_what_comes_next_waits_behind_it() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.start(0)
            stream_ = await w.pushed()
            parts = [part(0), *(large(n, 1) for n in range(1, 12)), part(12), part(13)]
            w.push(*parts)
            assert w.counters.parts_pushed < len(parts)
            assert await take(stream_, len(parts)) == list(range(len(parts)))

    asyncio.run(scenario())


def test_who_asks_for_what_is_late_begins_at_the_newest_keyframe() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.push(*stream(100))
            w.start(0)
            assert await take(await w.pushed(), 10) == list(range(91, 101))
            w.start(88)
            assert await take(await w.pushed(), 13) == list(range(88, 101))

    asyncio.run(scenario())


def test_a_backlog_is_told_once_it_changes() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.start(0)
            stream_ = await w.pushed()
            w.push(part(0), part(1))
            w.clock.now += 0.3
            child = w.neighbour.node
            ((node, stripe, delay_s),) = w.children.check(w.clock.now)
            assert (node, stripe, round(delay_s, 3)) == (child, 0, 0.3)
            assert w.children.check(w.clock.now) == []
            assert w.children.waits_s(w.clock.now) == [delay_s]
            w.neighbour.silence_s = 0.3
            assert w.children.waits_s(w.clock.now) == [0.0]  # it may be dead
            w.neighbour.silence_s = 0.0
            await take(stream_, 2)
            await until(lambda: w.children.waits_s(w.clock.now) == [0.0])
            assert w.children.check(w.clock.now) == [(child, 0, 0.0)]
            assert w.counters.bytes_taken == w.counters.bytes_pushed > 0

    asyncio.run(scenario())


def test_a_slow_child_goes_on_at_the_newest_keyframe_on_a_new_stream() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.start(0)
            first = await w.pushed()
            w.push(part(0), *(large(n, 1) for n in range(1, 11)))
            assert await take(first, 3) == [0, 1, 2]
            w.clock.now += 1.0
            w.push(*(large(n, 11) for n in range(11, 15)))
            w.clock.now += 1.0
            w.children.check(w.clock.now)
            assert w.counters.children_skipped == 1
            second = await w.pushed()
            try:
                await take(first, 20)
            except LinkClosed:
                pass
            else:
                raise AssertionError("the old stream goes on")
            assert await take(second, 4) == [11, 12, 13, 14]
            w.push(large(15, 11))
            assert await take(second, 1) == [15]
            assert w.children.check(w.clock.now)[-1:] in ([], [(w.neighbour.node, 0, 0.0)])

    asyncio.run(scenario())


def test_a_slow_child_waits_for_the_next_keyframe_when_the_newest_is_late_itself() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.start(0)
            await w.pushed()
            w.push(part(0), *(large(n, 1) for n in range(1, 30)))
            w.clock.now += 3.0
            w.children.check(w.clock.now)
            second = await w.pushed()
            w.push(large(30, 1), large(31, 31), large(32, 31))
            assert await take(second, 2) == [31, 32]

    asyncio.run(scenario())


def test_a_child_that_reads_nothing_holds_no_more_than_its_bounds() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.start(0)
            bound = LiveLimits().push_bytes
            w.push(part(0))
            for seq in range(1, 3 * bound // LARGE):
                w.push(large(seq, seq - seq % 10))
                w.children.check(w.clock.now)
                ((feed, _),) = w.children._feeds.values()
                assert feed._bytes <= bound + LARGE
                await asyncio.sleep(0)
            assert w.counters.children_skipped >= 2

    asyncio.run(scenario())


def test_a_child_that_gives_the_stream_up_gets_no_other() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.start(0)
            stream_ = await w.pushed()
            w.push(part(0))
            await take(stream_, 1)
            stream_.reset()
            w.push(part(1))
            ((_, task),) = w.children._feeds.values()
            await task
            w.push(part(2))
            w.clock.now += 60.0
            assert w.children.check(w.clock.now) == []
            assert w.counters.children_skipped == 0

    asyncio.run(scenario())


def test_what_waited_too_long_is_left_out_but_the_init_never() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.start(0)
            w.push(part(0), part(1), part(2))
            w.clock.now += PATIENCE_S + 0.01
            stream_ = await w.pushed()
            assert await take(stream_, 3) == [0, -2, -3]
            w.push(part(3))
            assert await take(stream_, 1) == [3]
            assert w.counters.parts_left_out == 2
            ((feed, _),) = w.children._feeds.values()
            await until(lambda: feed._bytes == 0)

    asyncio.run(scenario())


def test_what_the_child_has_already_is_left_out_whether_it_waits_or_comes_later() -> None:
    async def scenario() -> None:
        async with world() as w:
            child = w.neighbour.node
            w.start(0)
            w.push(part(0), part(1), part(2))
            w.children.leave_out(child, [1, 5])
            stream_ = await w.pushed()
            assert await take(stream_, 3) == [0, -2, 2]
            w.push(part(3))
            assert await take(stream_, 1) == [3]
            w.children.leave_out(child, [2, 3])
            w.push(part(4), part(5), part(6))
            assert await take(stream_, 3) == [4, -6, 6]
            ((feed, _),) = w.children._feeds.values()
            assert len(feed._had) == 1  # until the next word on what it has
            w.children.leave_out(child, [6])
            assert not feed._had

    asyncio.run(scenario())


def test_starting_over_goes_on_where_it_is_asked_to() -> None:
    async def scenario() -> None:
        async with world() as w:
            w.push(*stream(20))
            w.start(11)
            stream_ = await w.pushed()
            assert await take(stream_, 5) == [11, 12, 13, 14, 15]
            w.start(18)
            again = await w.pushed()
            assert await take(again, 3) == [18, 19, 20]
            assert len(w.children) == 1

    asyncio.run(scenario())
