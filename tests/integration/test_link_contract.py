"""What every kind of link promises, over each of them."""

import asyncio
import hashlib
import os
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from link_worlds import WAYS, WORLDS, Way, World, linked, streams

from headwater.errors import Unavailable
from headwater.link.port import Link, LinkClosed, Stream
from headwater.wire.ids import NodeId

every_world = pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS.keys())
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
BOUNDED = ["iroh", "memory", "lane"]
"""Those that hold a writer back."""
MB = 1024 * 1024


async def spin(turns: int) -> None:
    """Let others run, so that a started task gets somewhere."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def read_all(stream: Stream, limit: int = 50_000) -> bytes:
    parts = []
    while part := await stream.read(limit):
        assert len(part) <= limit
        parts.append(part)
    return b"".join(parts)


async def cancelled_after(turns: int, work: Coroutine[Any, Any, Any]) -> bool:
    """Whether it was still waiting when it was cancelled."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        await spin(turns)
        task.cancel()
    return task.cancelled()


@every_world
def test_both_sides_know_who_the_other_is_and_who_dialled(world: World) -> None:
    async def check() -> None:
        async with world() as (a, b):
            near, far = await asyncio.gather(a.connect(b.node, b.addresses()), b.accept())
            assert (near.peer, far.peer) == (b.node, a.node)
            assert (near.is_dialler, far.is_dialler) == (True, False)
            assert all(isinstance(link.path()[0], str) for link in (near, far))

    asyncio.run(check())


@every_way
def test_bytes_arrive_whole_and_in_order_both_ways(way: Way) -> None:
    async def check() -> None:
        there, back = os.urandom(3 * MB + 17), os.urandom(2 * MB + 5)
        async with streams(way) as (ours, theirs):
            async with asyncio.TaskGroup() as group:
                group.create_task(write_in_parts(ours, there))
                group.create_task(write_in_parts(theirs, back))
                got_there = group.create_task(read_all(theirs))
                got_back = group.create_task(read_all(ours, limit=MB))
            assert got_there.result() == there
            assert got_back.result() == back

    asyncio.run(check())


async def write_in_parts(stream: Stream, payload: bytes) -> None:
    chance = random.Random(len(payload))
    at = 0
    while at < len(payload):
        size = chance.choice((1, 100, 70_000, MB))
        await stream.write(payload[at : at + size])
        at += size
    await stream.finish()


@every_way
def test_the_end_of_a_stream_is_told_again_and_again(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, theirs):
            await ours.write(b"abc")
            await ours.finish()
            assert await theirs.read_exact(3) == b"abc"
            assert [await theirs.read(10) for _ in range(3)] == [b"", b"", b""]
            await theirs.write(b"still open")
            assert await ours.read_exact(10) == b"still open"

    asyncio.run(check())


@every_way
def test_fewer_bytes_than_wanted_are_an_error(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, theirs):
            await ours.write(b"abc")
            await ours.finish()
            with pytest.raises(LinkClosed):
                await theirs.read_exact(4)

    asyncio.run(check())


@every_way
def test_what_is_peeked_at_stays(way: Way) -> None:
    async def check() -> None:
        payload = os.urandom(200_000)
        async with streams(way) as (ours, theirs):
            await ours.write(payload[:3])
            assert await cancelled_after(200, theirs.peek(100))
            assert await theirs.peek(2) == payload[:2]
            for at in range(3, len(payload), 50_000):
                await ours.write(payload[at : at + 50_000])
            await ours.finish()
            assert await theirs.peek(100_000) == payload[:100_000]
            assert await theirs.read_exact(7) == payload[:7]
            assert await theirs.peek(100) == payload[7:107]
            assert await theirs.read_exact(199_990) == payload[7:-3]
            assert await theirs.peek(100) == payload[-3:]
            assert await read_all(theirs) == payload[-3:]
            assert [await theirs.peek(1) for _ in range(2)] == [b"", b""]

    asyncio.run(check())


@every_way
def test_what_is_heard_is_all_that_comes_in_order(way: Way) -> None:
    async def check() -> None:
        payload = os.urandom(2 * MB + 17)
        async with streams(way) as (ours, theirs):
            ear = Ear()
            async with asyncio.TaskGroup() as group:
                group.create_task(write_in_parts(ours, b"begun" + payload))
                assert await theirs.read_exact(2) == b"be"
                await theirs.hear(ear.take)
            assert ear.heard == b"gun" + payload
            await theirs.hear(ear.take)  # the end is told again
            assert len(ear.heard) == 3 + len(payload)

    asyncio.run(check())


class Ear:
    """What was heard."""

    def __init__(self) -> None:
        self.heard = b""
        self._news = asyncio.Event()

    def take(self, data: bytes) -> None:
        self.heard += data
        self._news.set()

    async def has(self, wanted: bytes) -> None:
        async with asyncio.timeout(5):
            while self.heard != wanted:
                self._news.clear()
                await self._news.wait()


@every_way
def test_who_stops_hearing_reads_on(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, theirs), asyncio.TaskGroup() as group:
            ear = Ear()
            hearing = group.create_task(theirs.hear(ear.take))
            await ours.write(b"first")
            await ear.has(b"first")
            hearing.cancel()
            await asyncio.wait([hearing])
            await ours.write(b"second")
            assert await theirs.read_exact(6) == b"second"
            assert ear.heard == b"first"

    asyncio.run(check())


@every_way
def test_who_hears_is_told_of_a_reset(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, theirs):
            await ours.write(b"first")
            ear = Ear()

            async def hear() -> None:
                with pytest.raises(LinkClosed):
                    await theirs.hear(ear.take)

            async with asyncio.TaskGroup() as group:
                group.create_task(hear())
                await ear.has(b"first")
                ours.reset()
            await hear()

    asyncio.run(check())


@every_way
def test_nothing_can_be_peeked_at_after_a_reset(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, theirs):
            ours.reset()
            for _ in range(2):
                with pytest.raises(LinkClosed):
                    await theirs.peek(1)

    asyncio.run(check())


@pytest.mark.parametrize("name", WAYS)
def test_what_is_written_at_once_keeps_its_place(name: str) -> None:
    async def check() -> None:
        chance = random.Random(1)
        payloads = [os.urandom(chance.choice((1, 1024, 1025, 20_000, 90_000))) for _ in range(100)]
        at_once = 0
        async with streams(WAYS[name]) as (ours, theirs), asyncio.TaskGroup() as group:
            reading = group.create_task(theirs.read_exact(sum(map(len, payloads))))
            for payload in payloads:
                if ours.write_at_once(payload):
                    at_once += 1
                else:
                    await ours.write(payload)
            assert await reading == b"".join(payloads)
        assert (at_once > 0) == (name in ("memory", "lane"))

    asyncio.run(check())


@pytest.mark.parametrize("way", [WAYS["memory"], WAYS["lane"]], ids=["memory", "lane"])
def test_what_would_have_to_wait_is_not_written_at_once(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, theirs):
            written = 0
            while ours.write_at_once(bytes(100_000)):
                written += 100_000
            assert 0 < written <= 2 * MB
            assert len(await theirs.read_exact(written)) == written
            await ours.write(b"abc")
            assert await theirs.read_exact(3) == b"abc"
            ours.reset()
            assert not ours.write_at_once(b"!")

    asyncio.run(check())


@every_way
def test_a_reset_is_never_taken_for_an_end(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, theirs):
            ours.reset()
            for _ in range(3):
                with pytest.raises(LinkClosed):
                    await theirs.read(10)
            with pytest.raises(LinkClosed):
                while True:
                    await theirs.write(b"x" * 1000)
                    await asyncio.sleep(0)
            with pytest.raises(LinkClosed):
                await ours.read(10)
            ours.reset()
            theirs.reset()

    asyncio.run(check())


@every_way
def test_a_reset_wakes_this_side_s_own_reader(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, _), asyncio.TaskGroup() as group:
            reader = group.create_task(fails(ours.read(10)))
            await spin(5)
            assert not reader.done()
            ours.reset()

    asyncio.run(check())


async def fails(work: Awaitable[Any]) -> None:
    with pytest.raises(LinkClosed):
        await work


async def write_much(stream: Stream) -> None:
    while True:
        await stream.write(bytes(MB))


async def read_much(stream: Stream) -> None:
    while True:
        await stream.read(MB)


@pytest.mark.parametrize("way", [WAYS[name] for name in BOUNDED], ids=BOUNDED)
def test_a_writer_waits_for_a_slow_reader_and_a_reset_wakes_it(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, theirs):
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(fails(write_much(ours)))
                done, _ = await asyncio.wait([writer], timeout=0.3)
                assert not done
                await theirs.read_exact(3 * MB)
                assert not writer.done()
                ours.reset()
            with pytest.raises(LinkClosed):
                await theirs.read_exact(100 * MB)

    asyncio.run(check())


@every_world
def test_closing_a_link_ends_everything_on_it_on_both_sides(world: World) -> None:
    async def check() -> None:
        async with linked(world) as (near, far):
            ours = await near.open_stream()
            await ours.write(b"!")
            theirs = await far.accept_stream()
            await theirs.read_exact(1)
            waiting: list[Callable[[], Awaitable[Any]]] = [
                lambda: ours.read(1),
                lambda: theirs.read(1),
                near.accept_stream,
                far.accept_stream,
            ]
            async with asyncio.TaskGroup() as group:
                for work in waiting:
                    group.create_task(fails(work()))
                told = [group.create_task(side.wait_closed()) for side in (near, far)]
                await spin(5)
                near.close("enough of it")
                near.close("said twice")
            assert [task.result() for task in told] == ["enough of it"] * 2
            await fails(open_and_write(near))
            await fails(open_and_write(far))

    asyncio.run(check())


async def open_and_write(link: Link) -> None:
    await (await link.open_stream()).write(b"x")


@every_way
def test_cancelling_reads_loses_nothing(way: Way) -> None:
    async def check() -> None:
        payload = os.urandom(2 * MB)
        chance = random.Random(1)
        async with streams(way) as (ours, theirs):
            async with asyncio.TaskGroup() as group:
                group.create_task(write_in_parts(ours, payload))
                got = bytearray()
                while len(got) < len(payload):
                    size = min(chance.choice((1, 1000, 100_000)), len(payload) - len(got))
                    task = group.create_task(theirs.read_exact(size))
                    await spin(chance.randrange(4))
                    task.cancel()
                    await asyncio.wait([task])
                    got += b"" if task.cancelled() else task.result()
                    got += await theirs.read(1000)
            assert bytes(got) == payload

    asyncio.run(check())


@every_way
def test_a_cancelled_write_goes_out_whole_or_not_at_all(way: Way) -> None:
    async def check() -> None:
        async with streams(way) as (ours, theirs):
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(read_messages(theirs))
                last = await write_messages(ours)
            numbers = reader.result()
            assert numbers == sorted(set(numbers))
            assert numbers[-1] == last

    asyncio.run(check())


async def write_messages(stream: Stream) -> int:
    """Numbered, hashed messages, most of their writes cancelled; the last one is not."""
    chance = random.Random(2)
    for number in range(150):
        body = number.to_bytes(4, "big") + os.urandom(chance.choice((10, 1000, MB)))
        head = len(body).to_bytes(4, "big") + hashlib.sha256(body).digest()
        await cancelled_after(chance.randrange(4), stream.write(head + body))
    body = number.to_bytes(4, "big")
    await stream.write(len(body).to_bytes(4, "big") + hashlib.sha256(body).digest() + body)
    await stream.finish()
    return number


async def read_messages(stream: Stream) -> list[int]:
    numbers: list[int] = []
    while first := await stream.read(1):
        head = first + await stream.read_exact(35)
        body = await stream.read_exact(int.from_bytes(head[:4], "big"))
        assert hashlib.sha256(body).digest() == head[4:]
        number = int.from_bytes(body[:4], "big")
        if number not in numbers[-1:]:
            numbers.append(number)
    return numbers


@every_world
def test_cancelling_an_accept_loses_no_stream_and_no_link(world: World) -> None:
    async def check() -> None:
        async with world() as (a, b):
            assert await cancelled_after(3, b.accept())
            near, far = await asyncio.gather(a.connect(b.node, b.addresses()), b.accept())
            for number in range(20):
                assert await cancelled_after(2, far.accept_stream())
                ours = await near.open_stream()
                await ours.write(bytes([number]))
                await cancelled_after(number % 4, ours.read(1))
                theirs = await far.accept_stream()
                assert await theirs.read_exact(1) == bytes([number])

    asyncio.run(check())


@every_world
def test_two_hundred_requests_at_once_are_all_answered(world: World) -> None:
    async def check() -> None:
        async with linked(world) as (near, far):
            async with asyncio.TaskGroup() as group:
                server = group.create_task(echo(far, group))
                answers = [group.create_task(request(near, number)) for number in range(200)]
                await asyncio.wait(answers)
                server.cancel()
            assert [task.result() for task in answers] == list(range(200))

    asyncio.run(check())


async def echo(link: Link, group: asyncio.TaskGroup) -> None:
    async def answer(stream: Stream) -> None:
        await stream.write(await stream.read_exact(4) * 5000)
        await stream.finish()

    while True:
        group.create_task(answer(await link.accept_stream()))


async def request(link: Link, number: int) -> int:
    stream = await link.open_stream(priority=number % 3)
    await stream.write(number.to_bytes(4, "big"))
    await stream.finish()
    answer = await stream.read_exact(20_000)
    assert await stream.read(1) == b""
    assert answer == answer[:4] * 5000
    return int.from_bytes(answer[:4], "big")


@every_world
def test_a_stream_of_high_priority_is_not_held_up_by_bulk(world: World) -> None:
    async def check() -> None:
        async with linked(world) as (near, far):
            control = await near.open_stream(priority=1000)
            await control.write(b"c")
            far_control = await far.accept_stream()
            far_control.set_priority(1000)
            await far_control.read_exact(1)
            bulk = await far.open_stream()
            await bulk.write(b"b")
            near_bulk = await near.accept_stream()
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(fails(write_much(bulk)))
                reader = group.create_task(fails(read_much(near_bulk)))
                for _ in range(20):
                    await far_control.write(b"ping")
                    assert await control.read_exact(4) == b"ping"
                assert not reader.done()
                near_bulk.reset()
                await asyncio.wait([writer])

    asyncio.run(check())


@every_world
def test_an_endpoint_that_is_closed_accepts_nothing_and_closes_its_links(world: World) -> None:
    async def check() -> None:
        async with world() as (a, b):
            near, _ = await asyncio.gather(a.connect(b.node, b.addresses()), b.accept())
            async with asyncio.TaskGroup() as group:
                group.create_task(fails(b.accept()))
                told = group.create_task(near.wait_closed())
                await spin(5)
                await b.close()
            assert told.result() == "the node stopped"
            await fails(b.accept())

    asyncio.run(check())


@every_world
def test_another_node_at_the_address_is_not_taken_for_the_right_one(world: World) -> None:
    stranger = NodeId(Ed25519PrivateKey.generate().public_key().public_bytes_raw())

    async def check() -> None:
        async with world() as (a, b):
            with pytest.raises(Unavailable):
                await a.connect(stranger, b.addresses())

    asyncio.run(check())


@every_world
def test_nobody_there_is_unavailable(world: World) -> None:
    async def check() -> None:
        async with world() as (a, b):
            await b.close()
            with pytest.raises(Unavailable):
                await a.connect(b.node, ())

    asyncio.run(check())
