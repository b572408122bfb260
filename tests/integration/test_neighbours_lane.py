"""What near neighbours ask of each other goes by lane, and gets through without one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from link_worlds import LOOPBACK
from neighbour_nodes import Answer, Person, keys, living, person, until

from headwater.link.iroh import IrohLink, bind
from headwater.link.lane import MAX_LANE_STREAMS
from headwater.link.lane_stream import LaneStream
from headwater.link.port import Stream
from headwater.link.shaped import ShapedEndpoint, ShapedStream
from headwater.node.config import LinkConfig
from headwater.node.neighbour import MAX_REQUESTS_PER_NEIGHBOUR, NEAR_RTT_S, Neighbour
from headwater.wire.frames import encode
from headwater.wire.messages import BlobReply, GetBlob, Request

QUESTION = GetBlob(bytes(range(32)))


async def give(neighbour: Neighbour, request: Request, stream: Stream) -> None:
    """One byte: whether the question came by lane."""
    inner = stream._stream if isinstance(stream, ShapedStream) else stream
    await stream.write(encode(BlobReply(1)) + bytes([isinstance(inner, LaneStream)]))
    await stream.finish()


async def came_by_lane(neighbour: Neighbour) -> bool:
    _, stream = await neighbour.ask(QUESTION, timeout_s=15)
    return await stream.read_exact(1) == b"\1"


@asynccontextmanager
async def met_near(answer: Answer = give) -> AsyncIterator[tuple[Neighbour, Neighbour]]:
    """Two that have measured how near they are; they meet anew where a busy machine kept them
    apart."""
    is_near = False
    while not is_near:
        a, b = [
            person(await bind(key.private_bytes_raw(), LOOPBACK), key, answer=answer)
            for key in keys(2)
        ]
        async with living(a, b), asyncio.timeout(30):
            ours, theirs = await _met(a, b)
            if is_near := max(ours.rtt_s or 0, theirs.rtt_s or 0) < NEAR_RTT_S:
                yield ours, theirs


@asynccontextmanager
async def near(answer: Answer = give) -> AsyncIterator[tuple[Neighbour, Neighbour]]:
    """Two that are near and have their lane."""
    async with met_near(answer) as (ours, theirs):
        (await ours.link.open_stream(by_lane=True)).reset()
        await until(lambda: ours.link.has_lane and theirs.link.has_lane)
        yield ours, theirs


async def _met(a: Person, b: Person) -> tuple[Neighbour, Neighbour]:
    ours = await a.neighbours.dial(b.node, b.addresses)
    theirs = await b.recorder.wait("up")
    await until(lambda: ours.rtt_s is not None and theirs.rtt_s is not None)
    return ours, theirs


def test_questions_to_a_near_neighbour_go_by_lane_both_ways() -> None:
    async def check() -> None:
        async with near() as both:
            for each in both:
                assert await came_by_lane(each)

    asyncio.run(check())


def test_a_near_neighbour_s_first_question_has_the_lane_made() -> None:
    """Where it comes sooner than the neighbours make one by themselves."""

    async def check() -> None:
        async with met_near() as (_, theirs):
            assert not theirs.link.has_lane
            await came_by_lane(theirs)
            await until(lambda: theirs.link.has_lane)

    asyncio.run(check())


def test_near_neighbours_have_their_lane_before_they_ask() -> None:
    async def check() -> None:
        config = LinkConfig(silence_s=6.0)  # a quarter of it after they met
        a, b = [
            person(await bind(key.private_bytes_raw(), LOOPBACK), key, config) for key in keys(2)
        ]
        async with living(a, b), asyncio.timeout(30):
            ours, theirs = await _met(a, b)
            await until(lambda: ours.link.has_lane and theirs.link.has_lane)

    asyncio.run(check())


def test_questions_to_a_far_neighbour_go_by_the_link() -> None:
    async def check() -> None:
        a, b = [
            person(
                ShapedEndpoint(await bind(key.private_bytes_raw(), LOOPBACK), NEAR_RTT_S),
                key,
                answer=give,
            )
            for key in keys(2)
        ]
        async with living(a, b), asyncio.timeout(30):
            ours, theirs = await _met(a, b)
            (await ours.link.open_stream(by_lane=True)).reset()
            await until(lambda: ours.link.has_lane and theirs.link.has_lane)
            assert not await came_by_lane(ours)

    asyncio.run(check())


def test_a_question_whose_lane_is_lost_is_asked_again_on_the_link() -> None:
    async def cut(neighbour: Neighbour, request: Request, stream: Stream) -> None:
        assert isinstance(neighbour.link, IrohLink)
        lane = neighbour.link._lane._lane
        if isinstance(stream, LaneStream) and lane is not None:
            lane.close("the cable was pulled")
        else:
            await give(neighbour, request, stream)

    async def check() -> None:
        async with near(cut) as (ours, _):
            assert not await came_by_lane(ours)
            assert not ours.link.has_lane

    asyncio.run(check())


def test_only_so_many_are_served_at_once_whichever_way_they_come() -> None:
    at_once, most = 0, 0
    gate = asyncio.Event()

    async def count(neighbour: Neighbour, request: Request, stream: Stream) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await gate.wait()
        at_once -= 1
        await give(neighbour, request, stream)

    async def check() -> None:
        async with near(count) as (ours, _), asyncio.TaskGroup() as group:
            wanted = MAX_LANE_STREAMS + MAX_REQUESTS_PER_NEIGHBOUR
            asked = [group.create_task(came_by_lane(ours)) for _ in range(wanted)]
            await until(lambda: at_once == MAX_REQUESTS_PER_NEIGHBOUR)
            gate.set()
            ways = [await each for each in asked]
            assert ways.count(True) == MAX_LANE_STREAMS, "past that the link takes them"
            assert most == MAX_REQUESTS_PER_NEIGHBOUR
            assert ours.link.has_lane

    asyncio.run(check())
