"""What lies in a stream before a part: its header, as long as one may be, and whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from live_parts import part

from headwater.errors import RemoteProtocolError
from headwater.link.memory import Network
from headwater.link.port import LinkClosed, Stream
from headwater.live.part import MAX_HEAD_BYTES, next_head, next_pushed
from headwater.wire.frames import HEADER_BYTES
from headwater.wire.ids import NodeId


@asynccontextmanager
async def carrying(payload: bytes) -> AsyncIterator[Stream]:
    """The reading end of a stream of just that."""
    network = Network()
    near, far = (network.endpoint(NodeId(name * 32)) for name in (b"n", b"f"))
    link = await near.connect(far.node, far.addresses())
    stream = await link.open_stream()
    await stream.write(payload)
    await stream.finish()
    yield await (await far.accept()).accept_stream()


def test_a_header_is_seen_and_stays_until_its_part_is_read() -> None:
    async def check() -> None:
        made = part(3)
        async with carrying(made.frame) as stream:
            head = await next_head(stream)
            assert head is not None and head.info == made.info
            assert await next_head(stream) == head
            assert await stream.read_exact(head.frame_bytes) == made.frame
            assert await next_head(stream) is None

    asyncio.run(check())


@pytest.mark.parametrize("length", [1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1])
def test_a_stream_that_ends_inside_a_header_has_ended_too_early(length: int) -> None:
    async def check() -> None:
        async with carrying(part(3).frame[:length]) as stream:
            with pytest.raises(LinkClosed):
                await next_pushed(stream)

    asyncio.run(check())


@pytest.mark.parametrize("over", [0, 1])
def test_a_header_is_waited_for_up_to_its_bound(over: int) -> None:
    async def check() -> None:
        body = bytes([0xC1]) * (MAX_HEAD_BYTES - HEADER_BYTES + over)  # never used by MessagePack
        async with carrying(len(body).to_bytes(HEADER_BYTES, "big") + body) as stream:
            said = "was announced" if over else "no known message"
            with pytest.raises(RemoteProtocolError, match=said):
                await next_head(stream)

    asyncio.run(check())
