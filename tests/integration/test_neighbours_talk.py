"""What goes over a link between neighbours, and what happens to those who break the rules."""

import asyncio
import os
from collections.abc import Callable

import pytest
from link_worlds import LOOPBACK
from neighbour_nodes import (
    Answer,
    Person,
    hand_dial,
    keys,
    living,
    memory_endpoint,
    people,
    person,
    until,
)

from headwater.errors import RemoteProtocolError, Unavailable
from headwater.link.iroh import bind
from headwater.link.memory import MemoryLink, Network
from headwater.link.port import Link, LinkClosed, Stream
from headwater.node import neighbour_hello, neighbour_requests
from headwater.node.config import LinkConfig
from headwater.node.neighbour import MAX_REQUESTS_PER_NEIGHBOUR, Neighbour
from headwater.node.neighbour_outbox import MAX_QUEUED_FRAMES
from headwater.wire.frames import MAX_FRAME_BYTES, encode
from headwater.wire.items import NodeRecord, sign_item
from headwater.wire.messages import (
    BlobReply,
    BlocksReply,
    Control,
    Follow,
    GetBlob,
    GetBlocks,
    Goodbye,
    Have,
    Hello,
    Ping,
    Pong,
    Refused,
    Request,
    Unfollow,
)

VIDEO = bytes(range(32))
QUESTION = GetBlob(VIDEO)


async def meet(a: Person, b: Person) -> tuple[Neighbour, Neighbour]:
    ours = await a.neighbours.dial(b.node, b.addresses)
    theirs = await b.recorder.wait("up")
    assert isinstance(theirs, Neighbour)
    return ours, theirs


def test_control_messages_arrive_in_order_both_ways() -> None:
    async def check() -> None:
        async with people(2) as (a, b):
            ours, theirs = await meet(a, b)
            sent: list[Control] = [
                *(Have(VIDEO, first_piece=i, bits=bytes(i)) for i in range(300)),
                Have(VIDEO, bits=bytes(MAX_FRAME_BYTES // 8)),
                Follow(VIDEO),
            ]
            for message in sent:
                ours.send(message)
            theirs.send(Unfollow(VIDEO))
            await b.recorder.wait("control", len(sent))
            assert b.recorder.of("control") == sent
            assert await a.recorder.wait("control") == Unfollow(VIDEO)

    asyncio.run(check())


def test_pings_measure_the_round_trip_and_are_nobody_else_s_business() -> None:
    async def check() -> None:
        async with people(2, LinkConfig(silence_s=0.4)) as (a, b):
            ours, theirs = await meet(a, b)
            await until(lambda: ours.rtt_s and theirs.rtt_s)
            assert not a.recorder.of("control")

    asyncio.run(check())


def test_a_link_that_only_pings_stays_up() -> None:
    async def check() -> None:
        async with people(2, LinkConfig(silence_s=0.4)) as (a, b):
            await meet(a, b)
            await asyncio.sleep(1.5)
            assert [kind for kind, _, _ in a.recorder.seen + b.recorder.seen] == ["up", "up"]

    asyncio.run(check())


def test_a_neighbour_that_falls_silent_is_dead() -> None:
    async def check() -> None:
        async with people(3, LinkConfig(silence_s=0.4)) as (a, b, c):
            ours, _ = await meet(a, b)
            await a.neighbours.dial(c.node, c.addresses)
            assert isinstance(ours.link, MemoryLink)
            ours.link.freeze(True)
            assert (await a.recorder.wait("down")).startswith("silent for 0.")
            assert set(a.neighbours.connected()) == {c.node}
            assert a.neighbours.counters.silent == 1

    asyncio.run(check())


def test_a_neighbour_that_does_not_read_is_closed_as_too_slow() -> None:
    async def check() -> None:
        async with people(2) as (a, b):
            ours, _ = await meet(a, b)
            assert isinstance(ours.link, MemoryLink)
            ours.link.freeze(True)
            for _ in range(MAX_QUEUED_FRAMES + 2):
                ours.send(Follow(VIDEO))
            assert "too slow" in await a.recorder.wait("down")
            assert a.neighbours.counters.slow == 1
            ours.send(Follow(VIDEO))

    asyncio.run(check())


async def give(neighbour: Neighbour, request: Request, stream: Stream) -> None:
    assert isinstance(request, GetBlocks)
    payload = os.urandom(request.count * 1000)
    await stream.write(encode(BlocksReply(len(payload))) + payload)
    await stream.finish()


def test_a_question_gets_its_reply_and_the_bytes_that_follow() -> None:
    async def check() -> None:
        a, b = [
            person(await bind(key.private_bytes_raw(), LOOPBACK), key, answer=give)
            for key in keys(2)
        ]
        async with living(a, b):
            for near in await meet(a, b):
                reply, stream = await near.ask(GetBlocks(VIDEO, 0, 200), timeout_s=5, priority=3)
                assert reply == BlocksReply(200_000)
                assert len(await stream.read_exact(200_000)) == 200_000
                assert await stream.read(1) == b""

    asyncio.run(check())


def test_a_refusal_is_a_reply() -> None:
    async def check() -> None:
        async with people(2) as (a, b):
            ours, _ = await meet(a, b)
            reply, _ = await ours.ask(QUESTION, timeout_s=5)
            assert reply == Refused("missing")

    asyncio.run(check())


async def hang(neighbour: Neighbour, request: Request, stream: Stream) -> None:
    await stream.read(1)  # the end of the question
    await stream.write(bytes(1))
    while True:
        await stream.write(b"")
        await asyncio.sleep(0.01)


def test_a_question_without_an_answer_is_given_up_and_the_other_side_hears_of_it() -> None:
    async def check() -> None:
        async with people(2, answer=hang) as (a, b):
            ours, _ = await meet(a, b)
            with pytest.raises(Unavailable, match="did not answer"):
                await ours.ask(QUESTION, timeout_s=0.05)
            await until(lambda: b.neighbours.counters.requests_failed)
            assert set(a.neighbours.connected()) == {b.node}

    asyncio.run(check())


def test_a_question_ends_with_its_link() -> None:
    async def check() -> None:
        async with people(2, answer=hang) as (a, b), asyncio.TaskGroup() as group:
            ours, theirs = await meet(a, b)
            question = group.create_task(closed(ours))
            await until(lambda: b.neighbours.counters.requests_served)
            theirs.link.close("a test")
            await question

    asyncio.run(check())


async def closed(neighbour: Neighbour) -> None:
    with pytest.raises(LinkClosed):
        await neighbour.ask(QUESTION, timeout_s=15)


async def answer_garbage(neighbour: Neighbour, request: Request, stream: Stream) -> None:
    await stream.write(b"\0\0\0\5hello")


async def announce_too_much(neighbour: Neighbour, request: Request, stream: Stream) -> None:
    await stream.write(b"\xff\xff\xff\xff")


@pytest.mark.parametrize("answer", [answer_garbage, announce_too_much])
def test_a_malformed_reply_is_the_other_side_s_fault(answer: Answer) -> None:
    async def check() -> None:
        async with people(2, answer=answer) as (a, b):
            ours, _ = await meet(a, b)
            with pytest.raises(RemoteProtocolError):
                await ours.ask(QUESTION, timeout_s=5)

    asyncio.run(check())


def test_only_so_many_requests_are_served_at_once_and_all_in_the_end() -> None:
    at_once, most = 0, 0
    gate = asyncio.Event()

    async def count(neighbour: Neighbour, request: Request, stream: Stream) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await gate.wait()
        at_once -= 1
        await stream.write(encode(BlobReply(0)))
        await stream.finish()

    async def check() -> None:
        async with people(2, answer=count) as (a, b), asyncio.TaskGroup() as group:
            ours, _ = await meet(a, b)
            wanted = MAX_REQUESTS_PER_NEIGHBOUR + 20
            asked = [group.create_task(ours.ask(QUESTION, timeout_s=15)) for _ in range(wanted)]
            await until(lambda: at_once == MAX_REQUESTS_PER_NEIGHBOUR)
            for _ in range(100):
                await asyncio.sleep(0)
            gate.set()
            await asyncio.wait(asked)
            assert most == MAX_REQUESTS_PER_NEIGHBOUR

    asyncio.run(check())


def test_a_fault_in_one_answer_costs_that_answer_only() -> None:
    async def break_down(neighbour: Neighbour, request: Request, stream: Stream) -> None:
        raise ZeroDivisionError

    async def check() -> None:
        async with people(2, answer=break_down) as (a, b):
            ours, _ = await meet(a, b)
            for _ in range(2):
                with pytest.raises(LinkClosed):
                    await ours.ask(QUESTION, timeout_s=5)
            assert set(b.neighbours.connected()) == {a.node}
            assert b.neighbours.counters.requests_failed == 2

    asyncio.run(check())


def test_a_fault_in_a_control_handler_costs_that_link_only() -> None:
    def break_down(message: Control) -> None:
        raise ZeroDivisionError

    async def check() -> None:
        async with people(3) as (a, b, c):
            ours, _ = await meet(a, b)
            await c.neighbours.dial(b.node, b.addresses)
            b.recorder.on_control = break_down
            ours.send(Follow(VIDEO))
            assert "internal fault" in await b.recorder.wait("down")
            assert set(b.neighbours.connected()) == {c.node}
            assert b.neighbours.counters.hostile == 0

    asyncio.run(check())


def test_what_the_node_finds_hostile_is_closed_and_banned() -> None:
    def object_to(message: Control) -> None:
        raise RemoteProtocolError("a forged item")

    async def check() -> None:
        async with people(2) as (a, b):
            ours, _ = await meet(a, b)
            b.recorder.on_control = object_to
            ours.send(Follow(VIDEO))
            assert "a forged item" in await b.recorder.wait("down")
            assert "a forged item" in await a.recorder.wait("down")
            assert b.neighbours.is_banned(a.node)
            assert b.neighbours.counters.hostile == 1

    asyncio.run(check())


HOSTILE_CONTROL: dict[str, bytes] = {
    "garbage": b"\0\0\0\4\xc1\xc1\xc1\xc1",
    "nothing": b"\0\0\0\0",
    "unknown": b"\0\0\0\x0b\x81\xa4type\xa4what",
    "oversize": (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
    "html": b"GET / HTTP/1.1\r\n\r\n",
    "a number": b"\0\0\0\1\7",
    "nested": b"\0\x01\0\0" + b"\x91" * 65536,
    "short id": encode({"type": "follow", "video": b"short"}),
    "hello again": encode(Hello(sign_item(keys(1)[0], NodeRecord(version=1, name="x")).signed)),
}


@pytest.mark.parametrize("said", HOSTILE_CONTROL.values(), ids=HOSTILE_CONTROL.keys())
def test_garbage_on_the_control_stream_is_hostile(said: bytes) -> None:
    async def act(link: Link, control: Stream) -> None:
        await control.write(said)

    asyncio.run(punished(act))


HOSTILE_REQUESTS: dict[str, bytes] = {
    "garbage": b"\0\0\0\4\xc1\xc1\xc1\xc1",
    "oversize": b"\0\0\x20\0",
    "not a request": encode(Ping(1)),
    "too many blocks": encode({"type": "blocks", "video": VIDEO, "first": 0, "count": 10**6}),
    "negative": encode({"type": "blocks", "video": VIDEO, "first": -1, "count": 1}),
}


@pytest.mark.parametrize("said", HOSTILE_REQUESTS.values(), ids=HOSTILE_REQUESTS.keys())
def test_garbage_on_a_request_stream_is_hostile(said: bytes) -> None:
    async def act(link: Link, control: Stream) -> None:
        stream = await link.open_stream()
        await stream.write(said)

    asyncio.run(punished(act))


async def punished(act: Callable[[Link, Stream], object]) -> None:
    """Whoever does it is closed and banned; the other neighbours do not notice."""
    network = Network()
    first, second, third = keys(3)
    a, b = [person(memory_endpoint(network, key), key) for key in (first, second)]
    async with living(a, b):
        await meet(a, b)
        link, control = await hand_dial(memory_endpoint(network, third), third, a)
        await act(link, control)  # type: ignore[misc]
        assert "broke the protocol" in await a.recorder.wait("down")
        assert "broke the protocol" in await link.wait_closed()
        assert a.neighbours.is_banned(link.peer) or a.neighbours.counters.hostile == 1
        assert set(a.neighbours.connected()) == {b.node}
        ours = a.neighbours.connected()[b.node]
        ours.send(Follow(VIDEO))
        assert await b.recorder.wait("control") == Follow(VIDEO)


@pytest.mark.parametrize("said", [b"", b"\0\0\0\1\7", b"\xff" * 8, encode(Ping(1))])
def test_a_link_that_does_not_start_with_hello_comes_to_nothing(said: bytes) -> None:
    async def check() -> None:
        network = Network()
        first, second = keys(2)
        a = person(memory_endpoint(network, first), first)
        async with living(a):
            link = await memory_endpoint(network, second).connect(a.node, a.addresses)
            control = await link.open_stream()
            await control.write(said)
            await control.finish()
            await link.wait_closed()
            assert not a.recorder.seen
            counters = a.neighbours.counters
            assert counters.hostile + counters.handshakes_failed == 1

    asyncio.run(check())


def test_a_hello_with_somebody_else_s_record_is_hostile() -> None:
    async def check() -> None:
        network = Network()
        first, second, third = keys(3)
        a = person(memory_endpoint(network, first), first)
        async with living(a):
            with pytest.raises(LinkClosed):
                await hand_dial(memory_endpoint(network, second), third, a)
            assert not a.recorder.seen
            assert a.neighbours.counters.hostile == 1

    asyncio.run(check())


def test_those_who_connect_and_say_nothing_do_not_keep_others_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbour_hello, "HELLO_TIMEOUT_S", 0.2)

    async def check() -> None:
        network = Network()
        first, second, third = keys(3)
        a, b = [person(memory_endpoint(network, key), key) for key in (first, second)]
        silent = memory_endpoint(network, third)
        async with living(a, b):
            for _ in range(40):
                await silent.connect(a.node, a.addresses)
            b.neighbours.keep(a.node, a.addresses)
            await b.recorder.wait("up")
            assert a.neighbours.counters.handshakes_failed >= 16

    asyncio.run(check())


def test_a_request_stream_that_is_opened_and_ended_costs_nothing() -> None:
    async def check() -> None:
        async with people(2) as (a, b):
            ours, _ = await meet(a, b)
            for _ in range(2 * MAX_REQUESTS_PER_NEIGHBOUR):
                stream = await ours.link.open_stream()
                await stream.finish()
            assert (await ours.ask(QUESTION, timeout_s=5))[0] == Refused("missing")

    asyncio.run(check())


def test_a_goodbye_is_a_reason_to_go_and_to_stay_away_when_it_says_so() -> None:
    async def check() -> None:
        async with people(2) as (a, b):
            a.neighbours.keep(b.node, b.addresses)
            await a.recorder.wait("up")
            (await b.recorder.wait("up")).send(Goodbye("closing down", retry=False))
            assert await a.recorder.wait("down") == "it left: closing down"
            a.neighbours.keep(b.node, b.addresses)
            await asyncio.sleep(1)
            assert len(a.recorder.of("up")) == 1

    asyncio.run(check())


def test_a_pong_that_answers_nothing_is_harmless() -> None:
    async def check() -> None:
        async with people(2) as (a, b):
            ours, _ = await meet(a, b)
            ours.send(Pong(2**40))
            ours.send(Follow(VIDEO))
            await b.recorder.wait("control")

    asyncio.run(check())


def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_requests, "ANSWER_TIMEOUT_S", 0.05)

    async def pour(neighbour: Neighbour, request: Request, stream: Stream) -> None:
        while True:
            await stream.write(bytes(100_000))

    async def check() -> None:
        async with people(2, answer=pour) as (a, b):
            ours, _ = await meet(a, b)
            stream = await ours.link.open_stream()
            await stream.write(encode(QUESTION))
            await until(lambda: b.neighbours.counters.requests_failed)
            assert set(b.neighbours.connected()) == {a.node}

    asyncio.run(check())
