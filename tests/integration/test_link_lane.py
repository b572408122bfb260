"""A lane lets in whom it expects, holds no more than its bounds whatever comes, and ends alone."""

import asyncio
import os
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import uvloop
from link_worlds import WORLDS, laned, linked
from live_parts import part
from parties import until

from headwater.errors import RemoteProtocolError, Unavailable
from headwater.link import iroh_lane, lane_door
from headwater.link import lane as lanes
from headwater.link.iroh import IrohLink
from headwater.link.iroh_lane import LANE_RETRY_S, MAX_LANE_MESSAGE_BYTES
from headwater.link.lane import JOINED_BYTES, MAX_LANE_STREAMS, MAX_QUEUED_BYTES, Lane
from headwater.link.lane_door import LaneDoor, make_lane
from headwater.link.lane_stream import DATA, END, MORE, RESET, WINDOW_BYTES, LaneStream
from headwater.link.port import Link, LinkClosed, Stream
from headwater.link.tls import ServerIdentity, client_context
from headwater.live.children import Children
from headwater.live.counters import LiveCounters
from headwater.live.limits import LiveLimits
from headwater.live.part import next_head
from headwater.live.ring import Ring
from headwater.wire.frames import HEADER_BYTES, encode
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.messages import LaneOffer, LaneWanted

RUNS = {"asyncio": asyncio.run, "uvloop": uvloop.run}
"""What tests run on, and what nodes run on."""
on_each_loop = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
Run = Callable[[Coroutine[Any, Any, None]], None]
LIVE = LiveId(bytes(32))
_RECORDS_BYTES = 32 * 1024
"""What one more piece and the records around all of them may take."""


class Raw:
    """A client that says what it likes once it is let in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, kind: int, stream: int, number: int, body: bytes = b"") -> None:
        self._writer.write(struct.pack(">BII", kind, stream, number) + body)

    async def hear(self) -> tuple[int, int, bytes]:
        """The next frame: kind, stream, body."""
        kind, stream, size = struct.unpack(">BII", await self._reader.readexactly(9))
        return kind, stream, await self._reader.readexactly(size) if kind == DATA else b""

    def go(self) -> None:
        self._writer.close()

    async def is_cut_off(self) -> bool:
        try:
            while await self._reader.read(65536):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        self.go()
        return True


@asynccontextmanager
async def door() -> AsyncIterator[LaneDoor]:
    made = LaneDoor("127.0.0.1", lambda: ["127.0.0.1"])
    try:
        async with asyncio.timeout(20):
            yield made
    finally:
        made.close()


async def knock(offer: LaneOffer, token: bytes) -> Raw:
    host, _, port = offer.addresses[0].rpartition(":")
    context = client_context(offer.certificate)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    writer.write(token)
    return Raw(reader, writer)


@asynccontextmanager
async def met() -> AsyncIterator[tuple[Raw, Lane]]:
    """A raw client and the lane that it has."""
    async with door() as made:
        arrived: asyncio.Queue[Lane] = asyncio.Queue()
        offer = await made.expect(arrived.put_nowait)
        raw = await knock(offer, offer.token)
        try:
            yield raw, await arrived.get()
        finally:
            raw.go()


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Lane, Lane]]:
    """Both sides of a lane, the client's first."""
    async with door() as made:
        arrived: asyncio.Queue[Lane] = asyncio.Queue()
        client = await make_lane(await made.expect(arrived.put_nowait), "")
        try:
            yield client, await arrived.get()
        finally:
            client.close("the test is over")


@on_each_loop
def test_a_token_lets_in_once(run: Run) -> None:
    async def check() -> None:
        async with door() as made:
            arrived: list[Lane] = []
            offer = await made.expect(arrived.append)
            first = await make_lane(offer, "")
            stream = first.open_stream()
            await stream.write(b"!")
            await until(lambda: len(arrived) == 1)
            again = await knock(offer, offer.token)
            assert await again.is_cut_off()
            assert len(arrived) == 1
            assert not first.is_closed
            first.close("enough")
            await arrived[0].closed

    run(check())


@on_each_loop
def test_as_much_as_may_be_queued_is_written_at_once_and_no_more(run: Run) -> None:
    async def check() -> None:
        async with pair() as (client, server):
            stream = client.open_stream()
            assert not stream.write_at_once(bytes(MAX_QUEUED_BYTES + 1))
            assert stream.write_at_once(bytes(MAX_QUEUED_BYTES))
            theirs = await server.accept_stream()
            sent = MAX_QUEUED_BYTES
            while sent < WINDOW_BYTES:  # nobody reads
                await until(lambda: client.room == MAX_QUEUED_BYTES)
                assert stream.write_at_once(bytes(MAX_QUEUED_BYTES))
                sent += MAX_QUEUED_BYTES
            await until(lambda: client.room == MAX_QUEUED_BYTES)
            assert not stream.write_at_once(b"!")
            assert len(await theirs.read_exact(WINDOW_BYTES)) == WINDOW_BYTES
            await until(lambda: stream.write_at_once(b"!"))
            assert await theirs.read_exact(1) == b"!"

    run(check())


@on_each_loop
def test_who_is_not_expected_or_no_more_is_cut_off(run: Run) -> None:
    async def check() -> None:
        async with door() as made:
            arrived: list[Lane] = []
            offer = await made.expect(arrived.append)
            made.forget(offer.token)
            for token in (offer.token, bytes(32)):
                assert await (await knock(offer, token)).is_cut_off()
            assert not arrived

    run(check())


@on_each_loop
def test_who_says_no_token_is_cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        monkeypatch.setattr(lane_door, "HANDSHAKE_S", 0.1)
        async with door() as made:
            offer = await made.expect(lambda _: None)
            assert await (await knock(offer, offer.token[:31])).is_cut_off()
            host, _, port = offer.addresses[0].rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            assert await Raw(reader, writer).is_cut_off(), "and who speaks no TLS"

    run(check())


@on_each_loop
def test_past_the_bound_nobody_comes_in_until_one_goes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        monkeypatch.setattr(lane_door, "MAX_LANES", 1)
        monkeypatch.setattr(lane_door, "CONNECT_S", 0.2)
        async with door() as made:
            arrived: asyncio.Queue[Lane] = asyncio.Queue()
            first = await make_lane(await made.expect(arrived.put_nowait), "")
            with pytest.raises(Unavailable):
                await make_lane(await made.expect(arrived.put_nowait), "")
            first.close("makes room")
            monkeypatch.setattr(lane_door, "CONNECT_S", 10.0)
            await make_lane(await made.expect(arrived.put_nowait), "")
            assert [await arrived.get(), await arrived.get()][0].is_closed

    run(check())


@on_each_loop
def test_another_certificate_is_not_spoken_to(run: Run) -> None:
    async def check() -> None:
        async with door() as made:
            arrived: list[Lane] = []
            offer = await made.expect(arrived.append)
            for certificate, error in (
                (ServerIdentity().certificate, Unavailable),
                (b"no certificate", RemoteProtocolError),
                (b"", RemoteProtocolError),
            ):
                with pytest.raises(error):
                    await make_lane(LaneOffer(offer.addresses, certificate, offer.token), "")
            with pytest.raises(Unavailable):
                await make_lane(LaneOffer((), offer.certificate, offer.token), "")
            assert not arrived

    run(check())


async def breaks(raw: Raw, lane: Lane) -> None:
    with pytest.raises(RemoteProtocolError):
        while True:
            await lane.accept_stream()
    assert lane.is_closed
    assert await raw.is_cut_off()


@on_each_loop
def test_more_than_was_allowed_ends_the_lane(run: Run) -> None:
    async def check() -> None:
        async with met() as (raw, lane):
            raw.say(DATA, 1, WINDOW_BYTES, bytes(WINDOW_BYTES))
            stream = await lane.accept_stream()
            raw.say(DATA, 1, 1, b"!")
            await breaks(raw, lane)
            with pytest.raises(LinkClosed):
                await stream.read(1)

    run(check())


@on_each_loop
def test_a_frame_longer_than_allowed_ends_the_lane_before_it_came(run: Run) -> None:
    async def check() -> None:
        async with met() as (raw, lane):
            raw.say(DATA, 1, WINDOW_BYTES + 1)
            await breaks(raw, lane)

    run(check())


@on_each_loop
@pytest.mark.parametrize("kind", [4, 255])
def test_an_unknown_kind_of_frame_ends_the_lane(run: Run, kind: int) -> None:
    async def check() -> None:
        async with met() as (raw, lane):
            raw.say(kind, 1, 0)
            await breaks(raw, lane)

    run(check())


@on_each_loop
def test_bytes_after_the_end_of_a_stream_end_the_lane(run: Run) -> None:
    async def check() -> None:
        async with met() as (raw, lane):
            raw.say(END, 1, 0)
            raw.say(DATA, 1, 1, b"!")
            await breaks(raw, lane)

    run(check())


@on_each_loop
def test_streams_at_once_are_bounded_and_those_given_up_do_not_count(run: Run) -> None:
    async def check() -> None:
        async with met() as (raw, lane):
            for number in range(1, 6 * MAX_LANE_STREAMS, 2):
                raw.say(DATA, number, 1, b"!")
                raw.say(RESET, number, 0)
            last = 6 * MAX_LANE_STREAMS + 1
            for number in range(last, last + 2 * MAX_LANE_STREAMS, 2):
                raw.say(DATA, number, 1, b"!")
            streams = [await lane.accept_stream() for _ in range(MAX_LANE_STREAMS)]
            assert await streams[-1].read(9) == b"!"
            assert not lane.is_closed
            raw.say(DATA, last + 2 * MAX_LANE_STREAMS, 1, b"!")
            await breaks(raw, lane)

    run(check())


@on_each_loop
def test_frames_of_streams_that_are_not_there_are_skipped(run: Run) -> None:
    async def check() -> None:
        async with met() as (raw, lane):
            raw.say(DATA, 5, 1, b"!")
            stream = await lane.accept_stream()
            stream.reset()
            for number in (5, 3, 2, 40):  # given up, older, ours and never opened
                raw.say(DATA, number, 3, b"abc")
                raw.say(MORE, number, 2**32 - 1)
                raw.say(END, number, 0)
                raw.say(RESET, number, 0)
            raw.say(DATA, 7, 2, b"ok")
            assert await (await lane.accept_stream()).read_exact(2) == b"ok"

    run(check())


@on_each_loop
@pytest.mark.parametrize("size", [1, JOINED_BYTES - 1, JOINED_BYTES, JOINED_BYTES + 1, 100_000])
def test_what_goes_with_its_header_and_what_is_left_of_it_come_whole(run: Run, size: int) -> None:
    async def check() -> None:
        async with pair() as (client, server):
            stream, payload = client.open_stream(), os.urandom(size)
            assert stream.write_at_once(payload)
            assert await (await server.accept_stream()).read_exact(size) == payload

    run(check())


@on_each_loop
def test_who_reads_one_stream_is_not_held_up_by_another_that_nobody_reads(run: Run) -> None:
    async def check() -> None:
        async with pair() as (client, server):
            idle, busy = client.open_stream(), client.open_stream()
            async with asyncio.TaskGroup() as group:
                stuck = group.create_task(_fails(idle.write(bytes(3 * WINDOW_BYTES))))
                writing = group.create_task(busy.write(bytes(5 * WINDOW_BYTES)))
                unread = await server.accept_stream()
                assert len(await (await server.accept_stream()).read_exact(5 * WINDOW_BYTES))
                await writing
                assert not stuck.done()
                assert unread._held <= WINDOW_BYTES
                client.close("enough")

    run(check())


async def _fails(work: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(LinkClosed):
        await work


async def _tries(work: Coroutine[Any, Any, Any]) -> None:
    with suppress(LinkClosed):
        await work


@on_each_loop
def test_a_connection_that_takes_nothing_any_more_is_given_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        monkeypatch.setattr(lanes, "STUCK_S", 0.2)
        async with pair() as (client, server):
            assert server._transport is not None
            server._transport.pause_reading()
            async with asyncio.TaskGroup() as group:
                for _ in range(30):
                    group.create_task(_tries(client.open_stream().write(bytes(WINDOW_BYTES))))
            assert "nothing gets through" in await client.closed

    run(check())


@on_each_loop
def test_in_a_jam_what_is_more_urgent_goes_first(run: Run) -> None:
    async def check() -> None:
        async with met() as (raw, lane), asyncio.TaskGroup() as group:
            for number in (1, 3, 5, 7):
                raw.say(DATA, number, 1, b"!")
            *bulk, urgent = [await lane.accept_stream() for _ in range(4)]
            for stream in bulk:
                group.create_task(stream.write(bytes(WINDOW_BYTES)))
            await until(lambda: not lane.is_writable)
            urgent.set_priority(1)
            gone: list[int] = []
            hurrying = group.create_task(_hurries(urgent, bulk, gone))
            before = 0
            while (frame := await raw.hear())[1] != 7:
                before += len(frame[2])
            assert frame == (DATA, 7, b"now")
            assert [before] == gone
            while before < 3 * WINDOW_BYTES:
                before += len((await raw.hear())[2])
            await hurrying

    run(check())


async def _hurries(urgent: LaneStream, bulk: list[LaneStream], gone: list[int]) -> None:
    """Notes how much of the others has gone until now."""
    waiting = sum(len(each) for stream in bulk for each in stream._queue)
    gone.append(len(bulk) * WINDOW_BYTES - waiting)
    await urgent.write(b"now")


@on_each_loop
def test_a_stream_that_is_over_is_given_up_without_a_word(run: Run) -> None:
    async def check() -> None:
        async with met() as (raw, lane):
            raw.say(DATA, 1, 1, b"!")
            raw.say(END, 1, 0)
            stream = await lane.accept_stream()
            await stream.read(1)
            await stream.finish()
            assert await stream.read(1) == b""
            stream.reset()
            await lane.open_stream().write(b"next")
            assert [await raw.hear(), await raw.hear()] == [(END, 1, b""), (DATA, 2, b"next")]

    run(check())


@on_each_loop
def test_giving_a_stream_up_in_a_jam_drops_what_is_queued(run: Run) -> None:
    async def check() -> None:
        async with pair() as (client, server):
            assert server._transport is not None
            server._transport.pause_reading()
            late = client.open_stream()
            async with asyncio.TaskGroup() as group:
                group.create_task(_tries(late.write(bytes(WINDOW_BYTES))))
                for _ in range(20):
                    group.create_task(_tries(client.open_stream().write(bytes(WINDOW_BYTES))))
                await until(lambda: not client.is_writable)
                late.reset()
            assert await client.closed == "jammed"

    run(check())


@on_each_loop
def test_who_gives_up_an_answer_in_a_jam_keeps_the_lane(run: Run) -> None:
    async def check() -> None:
        async with pair() as (client, server), asyncio.TaskGroup() as group:
            asking = client.open_stream()
            await asking.write(b"?")
            await asking.finish()
            assert server._transport is not None
            server._transport.pause_reading()
            for _ in range(20):
                group.create_task(_tries(client.open_stream().write(bytes(WINDOW_BYTES))))
            await until(lambda: not client.is_writable)
            assert client._transport is not None
            assert client._transport.get_write_buffer_size() < MAX_QUEUED_BYTES + _RECORDS_BYTES
            asking.reset()
            assert not client.is_closed
            client.close("enough")

    run(check())


# On a link.


def said(link: Link, message: object) -> Coroutine[Any, Any, None]:
    assert isinstance(link, IrohLink)
    return link._lane._say(message)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_dialler", [True, False])
def test_what_the_other_side_may_not_say_of_lanes_is_a_fault(*, is_dialler: bool) -> None:
    async def check() -> None:
        async with linked(WORLDS["iroh"]) as (near, far), asyncio.timeout(20):
            offer = LaneOffer(("127.0.0.1:1",), b"", bytes(32))
            speaker, hearer = (near, far) if is_dialler else (far, near)
            await said(speaker, offer if is_dialler else LaneWanted())
            with pytest.raises(RemoteProtocolError):
                await hearer.accept_stream(by_lane=True)

    asyncio.run(check())


@pytest.mark.parametrize("is_dialler", [True, False])
def test_wishes_and_offers_come_to_nothing_until_the_next_try(
    monkeypatch: pytest.MonkeyPatch, *, is_dialler: bool
) -> None:
    """Whoever says them again and again has no more connections or tokens made."""

    async def check() -> None:
        async with laned() as (near, far):
            tried: list[object] = []

            async def make(offer: LaneOffer, _: str) -> Lane:
                tried.append(offer)
                raise Unavailable("nobody is there")

            async def expect(_: object, arrived: object) -> LaneOffer:
                tried.append(arrived)
                raise Unavailable("there is no room")

            monkeypatch.setattr(iroh_lane, "make_lane", make)
            monkeypatch.setattr(LaneDoor, "expect", expect)
            speaker, hearer = (near, far) if is_dialler else (far, near)
            _lane(hearer).close("the cable was pulled")
            await until(lambda: not speaker.has_lane)
            message = LaneWanted() if is_dialler else LaneOffer(("127.0.0.1:1",), b"", bytes(32))
            for _ in range(3):
                await said(speaker, message)
            await asyncio.sleep(0.2)  # for what should not happen
            assert not tried
            assert isinstance(hearer, IrohLink)
            hearer._lane._retry_s -= LANE_RETRY_S
            await said(speaker, message)
            await until(lambda: len(tried) == 1)

    asyncio.run(check())


def test_a_message_about_lanes_without_end_is_not_read() -> None:
    async def check() -> None:
        async with linked(WORLDS["iroh"]) as (near, far), asyncio.timeout(20):
            endless = LaneOffer(("127.0.0.1:1",) * 5000, b"", bytes(32))
            assert len(encode(endless)) > MAX_LANE_MESSAGE_BYTES + HEADER_BYTES
            await said(far, endless)
            ours = await near.open_stream()
            await ours.write(b"!")
            assert await (await far.accept_stream()).read_exact(1) == b"!"
            assert not near.has_lane

    asyncio.run(check())


def test_a_link_goes_on_without_its_lane_and_takes_it_along_when_it_ends() -> None:
    async def check() -> None:
        async with laned() as (near, far), asyncio.TaskGroup() as group:
            lane = _lane(near)
            waiting = group.create_task(_fails(far.accept_stream(by_lane=True)))
            lane.close("the cable was pulled")
            ours = await near.open_stream(by_lane=True)
            await ours.write(b"!")
            assert await (await far.accept_stream()).read_exact(1) == b"!"
            assert not near.has_lane
            assert not waiting.done()
            near.close("enough")
        async with laned() as (near, far):
            lane = _lane(far)
            near.close("enough")
            await lane.closed

    asyncio.run(check())


def _lane(link: Link) -> Lane:
    assert isinstance(link, IrohLink)
    assert link._lane._lane is not None
    return link._lane._lane


class Neighbour:
    """As much of one as pushing needs."""

    def __init__(self, link: Link) -> None:
        self.node, self.link, self.rtt_s = link.peer, link, 0.0

    def heard(self) -> None:
        pass

    def silent_for(self, now: float) -> float:
        return 0.0


def test_pushes_move_to_the_lane_and_back_when_it_is_lost_and_no_part_is() -> None:
    async def check() -> None:
        async with (
            linked(WORLDS["iroh"]) as (near, far),
            asyncio.timeout(20),
            asyncio.TaskGroup() as group,
        ):
            ring, clock = Ring(), asyncio.get_running_loop().time
            suspicions: list[tuple[NodeId, bool]] = []
            children = Children(
                *(LIVE, 1, ring, group, LiveCounters(), LiveLimits(), 1e9, clock),
                lambda node, is_suspected: suspicions.append((node, is_suspected)),
            )
            taken: list[tuple[int, bool]] = []
            takers = [group.create_task(take(far, taken, by_lane=each)) for each in (False, True)]
            children.start(Neighbour(near), 0, 0)  # type: ignore[arg-type]
            seq = 0

            async def push(*, by_lane: bool) -> None:
                """Until one came that way."""
                nonlocal seq
                while (seq - 1, by_lane) not in taken:
                    each = part(seq, payload=bytes(50_000))
                    ring.add(each)
                    children.push(each, [near.peer])
                    seq += 1
                    await until(partial(_came, taken, seq - 1))

            await push(by_lane=False)
            await push(by_lane=True)
            await push(by_lane=True)
            assert not suspicions
            _lane(far).close("the cable was pulled")
            await push(by_lane=False)
            await until(partial(suspicions.__contains__, (near.peer, False)))
            assert suspicions == [(near.peer, True), (near.peer, False)]
            assert [number for number, _ in taken] == list(range(seq))
            children.stop_all()
            for task in takers:
                task.cancel()

    asyncio.run(check())


def _came(taken: list[tuple[int, bool]], seq: int) -> bool:
    return any(number == seq for number, _ in taken)


async def take(link: Link, taken: list[tuple[int, bool]], *, by_lane: bool) -> None:
    """Every part that is pushed, and how it came."""
    async with asyncio.TaskGroup() as group:
        while True:
            stream = await link.accept_stream(by_lane=by_lane)
            group.create_task(_take_all(stream, taken, by_lane=by_lane))


async def _take_all(stream: Stream, taken: list[tuple[int, bool]], *, by_lane: bool) -> None:
    try:
        size = int.from_bytes(await stream.read_exact(HEADER_BYTES), "big")
        await stream.read_exact(size)
        while (head := await next_head(stream)) is not None:
            await stream.read_exact(head.frame_bytes)
            if not _came(taken, head.info.seq):
                taken.append((head.info.seq, by_lane))
            await stream.write(b"\1")
    except LinkClosed:
        pass
