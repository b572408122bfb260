"""Whom a swarm asks for the info-dict."""

import asyncio
from random import Random
from typing import cast

from headwater.errors import NotFound
from headwater.store.shape import VideoShape
from headwater.store.torrent import Torrent
from headwater.transfer.client import BlockClient
from headwater.transfer.port import Blocks
from headwater.transfer.swarm import Swarm
from headwater.wire.ids import BLOCK_BYTES, NodeId, VideoId

FAR, NEAR = (NodeId(bytes([number]) * 32) for number in (1, 2))


class _Stored:
    video, shape = VideoId(bytes(32)), VideoShape(4 * BLOCK_BYTES, BLOCK_BYTES)
    torrent: object = None

    def missing(self, first: int, count: int) -> list[range]:
        return [range(first, first + count)]

    def has(self, first: int, count: int) -> bool:
        return False


class _Client:
    """Only who is far has it."""

    def __init__(self) -> None:
        self.asked: list[NodeId] = []

    async def info(self, node: NodeId, video: VideoId) -> Torrent:
        self.asked.append(node)
        if node != FAR:
            raise NotFound("not here yet")
        return cast(Torrent, object())


def test_the_info_dict_is_asked_of_who_answers_soonest_and_then_of_the_others() -> None:
    async def run() -> None:
        stored, client, attached = _Stored(), _Client(), asyncio.Event()

        def attach(torrent: Torrent) -> None:
            stored.torrent = torrent
            loop.call_soon_threadsafe(attached.set)

        loop = asyncio.get_running_loop()
        swarm = Swarm(
            cast(Blocks, stored),
            cast(BlockClient, client),
            loop.time,
            Random(1),
            lambda stored, pieces: None,
            attach,
            lambda: False,
        )
        swarm.add_source(FAR, 0.2, whole=False)
        swarm.add_source(NEAR, 0.001, whole=False)
        swarm.hurry_info()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(swarm.run())
            await attached.wait()
            running.cancel()
        assert client.asked == [NEAR, FAR]

    asyncio.run(run())
