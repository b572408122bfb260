"""A pushed live among the requests of a link: it lasts, and has a bound of its own."""

import asyncio

from neighbour_nodes import people, until

from headwater.link.port import Stream
from headwater.node.neighbour import MAX_REQUESTS_PER_NEIGHBOUR, Neighbour
from headwater.node.neighbour_requests import MAX_PUSHES_PER_NEIGHBOUR
from headwater.wire.frames import encode
from headwater.wire.live import Push
from headwater.wire.messages import BlobReply, GetBlob, Request

PUSH = Push(bytes(32), 0)


async def answer(neighbour: Neighbour, request: Request, stream: Stream) -> None:
    if isinstance(request, Push):
        while True:
            await stream.read_exact(1)
    await stream.write(encode(BlobReply(0)))
    await stream.finish()


def test_pushes_take_no_request_slots_and_have_a_bound_of_their_own() -> None:
    async def check() -> None:
        async with people(2, answer=answer) as (a, b):
            ours = await a.neighbours.dial(b.node, b.addresses)
            counters = b.neighbours.counters
            streams = []

            def answered() -> int:
                return counters.pushes_taken + counters.pushes_refused

            async def push_once_more() -> None:
                seen = answered()
                await (await ours.link.open_stream()).write(encode(PUSH))
                await until(lambda: answered() > seen)

            for _ in range(MAX_PUSHES_PER_NEIGHBOUR + 2):
                streams.append(await ours.link.open_stream())
                await streams[-1].write(encode(PUSH))
            await until(lambda: counters.pushes_refused == 2)
            assert counters.pushes_taken == MAX_PUSHES_PER_NEIGHBOUR
            for _ in range(MAX_REQUESTS_PER_NEIGHBOUR + 1):
                reply, _ = await ours.ask(GetBlob(bytes(32)), timeout_s=5)
                assert reply == BlobReply(0)
            streams[0].reset()
            while counters.pushes_taken == MAX_PUSHES_PER_NEIGHBOUR:  # until it sees the reset
                await push_once_more()
            assert counters.requests_failed == 0

    asyncio.run(check())
