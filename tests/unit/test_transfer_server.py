"""How much one asker can make us hold, and in which order it is answered under a limit."""

import asyncio
from typing import cast

import pytest

from headwater.link.port import LinkClosed, Stream
from headwater.store.shape import VideoShape
from headwater.store.store import Store
from headwater.transfer.limits import QUANTUM_BYTES, RateLimit
from headwater.transfer.port import Neighbour
from headwater.transfer.server import MAX_LARGE_ANSWERS, MAX_PRIORITY, SMALL_BLOCKS, BlockServer
from headwater.transfer.traffic import Traffic
from headwater.wire.ids import BLOCK_BYTES, NodeId, VideoId
from headwater.wire.messages import GetBlob, GetBlocks, StoredRequest


class _Stored:
    shape = VideoShape(64 * 1024 * 1024, 1024 * 1024)

    def proof(self, first: int, count: int, *, layer_known: bool) -> bytes:
        return b""

    def read(self, first: int, count: int) -> bytes:
        return bytes(self.shape.span(first, count)[1])


class _Store:
    def get(self, video: VideoId) -> _Stored:
        return _Stored()

    def get_blob(self, blob: bytes) -> bytes:
        return bytes(1000)


class _Stream:
    """Takes nothing until it is `wanted`."""

    def __init__(self, *, is_finished: bool = False) -> None:
        """`is_finished`: by the asker, with the question."""
        self.offered, self.wanted = asyncio.Event(), asyncio.Event()
        self._is_finished, self.priority, self.written = is_finished, 0, 0

    async def write(self, payload: bytes) -> None:
        self.written += len(payload)
        self.offered.set()
        await self.wanted.wait()

    async def finish(self) -> None:
        return

    def set_priority(self, priority: int) -> None:
        self.priority = priority

    async def read(self, limit: int) -> bytes:
        if not self._is_finished:
            await self.wanted.wait()
        return b""


class _WithdrawnStream(_Stream):
    """Its asker withdraws the question when it is `withdrawn`."""

    def __init__(self) -> None:
        super().__init__()
        self.withdrawn = asyncio.Event()
        self.wanted.set()

    async def read(self, limit: int) -> bytes:
        await self.withdrawn.wait()
        raise LinkClosed("withdrawn")


class _Anna:
    node = NodeId(b"a" * 32)


class _Bert:
    node = NodeId(b"b" * 32)


def _server(limit: RateLimit | None = None) -> BlockServer:
    store = cast(Store, _Store())
    return BlockServer(store, None, tuple, limit or RateLimit(0), Traffic(), lambda: 0.0)


def test_large_answers_wait_for_one_another_and_small_ones_do_not() -> None:
    async def run() -> None:
        server = _server()
        large = [_Stream() for _ in range(MAX_LARGE_ANSWERS + 1)]
        small = _Stream()

        async def answer(stream: _Stream, count: int) -> None:
            request = GetBlocks(bytes(32), 0, count)
            await server.answer(cast(Neighbour, _Anna()), request, cast(Stream, stream))

        async with asyncio.TaskGroup() as group:
            for stream in large:
                group.create_task(answer(stream, SMALL_BLOCKS + 1))
            for stream in large[:MAX_LARGE_ANSWERS]:
                await stream.offered.wait()
            group.create_task(answer(small, SMALL_BLOCKS))
            await small.offered.wait()
            assert not large[-1].offered.is_set()
            for stream in (*large[:MAX_LARGE_ANSWERS], small):
                stream.wanted.set()
            await large[-1].offered.wait()
            large[-1].wanted.set()

    asyncio.run(run())


def test_of_what_an_asker_waits_for_a_limit_lets_out_first_what_a_video_begins_with() -> None:
    async def run() -> None:
        server, order = _server(RateLimit(1)), list[str]()  # their own time comes in days
        requests: dict[str, StoredRequest] = {
            "much": GetBlocks(bytes(32), 0, SMALL_BLOCKS + 1),
            "little": GetBlocks(bytes(32), 0, SMALL_BLOCKS),
            "poster": GetBlob(bytes(32)),
        }
        streams = {name: _Stream() for name in requests}
        async with asyncio.TaskGroup() as group:
            tasks = []
            for name, request in requests.items():
                streams[name].wanted.set()
                stream = cast(Stream, streams[name])
                answer = server.answer(cast(Neighbour, _Anna()), request, stream)
                tasks.append(group.create_task(answer))
                await streams[name].offered.wait()  # its head
            for _ in range(SMALL_BLOCKS * BLOCK_BYTES // QUANTUM_BYTES + 2):
                before = {name: each.written for name, each in streams.items()}
                server._turns.pass_on()
                for _ in range(5):
                    await asyncio.sleep(0)
                order += [name for name, each in streams.items() if each.written > before[name]]
            for task in tasks:
                task.cancel()
        assert order == ["poster", *["little"] * (len(order) - 2), "much"]

    asyncio.run(run())


def test_who_finished_with_the_question_waits_for_a_turn_like_others() -> None:
    """And is not taken for one who went away."""

    async def run() -> None:
        server, first, second = _server(), _Stream(), _Stream(is_finished=True)

        async def answer(who: object, stream: _Stream) -> None:
            request = GetBlocks(bytes(32), 0, SMALL_BLOCKS)
            await server.answer(cast(Neighbour, who), request, cast(Stream, stream))

        async with asyncio.TaskGroup() as group:
            group.create_task(answer(_Anna(), first))
            await first.offered.wait()
            group.create_task(answer(_Bert(), second))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not second.offered.is_set()
            first.wanted.set()
            await second.offered.wait()
            second.wanted.set()

    asyncio.run(run())


def test_what_is_withdrawn_while_it_waits_for_the_limit_takes_no_turn() -> None:
    async def run() -> None:
        server, request = _server(RateLimit(1)), GetBlocks(bytes(32), 0, SMALL_BLOCKS)
        withdrawn, other = _WithdrawnStream(), _Stream()
        other.wanted.set()

        async def withdraws() -> None:
            with pytest.raises(LinkClosed):
                await server.answer(cast(Neighbour, _Anna()), request, cast(Stream, withdrawn))

        async with asyncio.TaskGroup() as group:
            gone = group.create_task(withdraws())
            await withdrawn.offered.wait()  # the head
            answer = server.answer(cast(Neighbour, _Bert()), request, cast(Stream, other))
            staying = group.create_task(answer)
            await other.offered.wait()
            before = withdrawn.written, other.written
            withdrawn.withdrawn.set()
            await gone
            server._turns.pass_on()
            for _ in range(5):
                await asyncio.sleep(0)
            assert (withdrawn.written, other.written - QUANTUM_BYTES) == before
            staying.cancel()

    asyncio.run(run())


def test_answers_go_out_in_order_and_their_priority_stays_in_its_bounds() -> None:
    async def run() -> None:
        server, streams = _server(), [_Stream() for _ in range(3)]
        server._answers = MAX_PRIORITY - 3
        for stream in streams:
            stream.wanted.set()
            request = GetBlocks(bytes(32), 0, 1)
            await server.answer(cast(Neighbour, _Anna()), request, cast(Stream, stream))
        assert [stream.priority for stream in streams] == [2 - MAX_PRIORITY, 1 - MAX_PRIORITY, 0]

    asyncio.run(run())
