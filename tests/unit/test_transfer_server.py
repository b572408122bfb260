"""How much one asker that does not read can make us hold."""

import asyncio
from typing import cast

from headwater.link.port import Stream
from headwater.store.shape import VideoShape
from headwater.store.store import Store
from headwater.transfer.limits import RateLimit
from headwater.transfer.port import Neighbour
from headwater.transfer.server import MAX_LARGE_ANSWERS, SMALL_BLOCKS, BlockServer
from headwater.transfer.traffic import Traffic
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.messages import GetBlocks


class _Stored:
    shape = VideoShape(64 * 1024 * 1024, 1024 * 1024)

    def proof(self, first: int, count: int, *, layer_known: bool) -> bytes:
        return b""

    def read(self, first: int, count: int) -> bytes:
        return bytes(self.shape.span(first, count)[1])


class _Store:
    def get(self, video: VideoId) -> _Stored:
        return _Stored()


class _Stream:
    """Takes nothing until it is `wanted`."""

    def __init__(self) -> None:
        self.offered, self.wanted = asyncio.Event(), asyncio.Event()

    async def write(self, payload: bytes) -> None:
        self.offered.set()
        await self.wanted.wait()

    async def finish(self) -> None:
        return

    def set_priority(self, priority: int) -> None:
        return

    async def read(self, limit: int) -> bytes:
        await self.wanted.wait()
        return b""


class _Anna:
    node = NodeId(b"a" * 32)


def test_large_answers_wait_for_one_another_and_small_ones_do_not() -> None:
    async def run() -> None:
        store = cast(Store, _Store())
        server = BlockServer(store, None, tuple, RateLimit(0), Traffic(), lambda: 0.0)
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
