"""Light children of a node's live: each an endpoint with a link of its own that takes every stripe
and checks, keeps and passes on nothing.

`python -m bench.live_children LIVE STRIPES COUNT NODE ADDRESS` says `true` when all are fed; asked
for `{}` it answers with when each part was whole, a map of numbers to times for each child.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.child import say, told
from headwater.link.frames import FrameAssembler
from headwater.link.iroh import bind
from headwater.link.port import Link, LinkClosed, Stream
from headwater.live.part import next_pushed
from headwater.node.config import LinkConfig
from headwater.node.neighbour_hello import introduce
from headwater.wire.frames import HEADER_BYTES, decode, encode, frame_length
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.items import NodeRecord, sign_item
from headwater.wire.live import Accept, LiveJoin, Push, Redirect, Subscribe
from headwater.wire.messages import Ping, Pong, control_decoder, request_decoder

LISTEN_S = 120.0


class _Child:
    """One endpoint. `arrived`: when each part was whole, by `time.monotonic()`."""

    def __init__(self, live: LiveId, stripes: int) -> None:
        self._live, self._stripes = live, stripes
        self.arrived: dict[int, float] = {}
        self.refused = 0
        self._fed: set[int] = set()
        self.is_fed = asyncio.Event()

    async def run(self, node: NodeId, address: str) -> None:
        """Until cancelled or the node ends."""
        key = Ed25519PrivateKey.generate()
        secret = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        endpoint = await bind(secret, LinkConfig(bind="127.0.0.1:0"))
        link = await endpoint.connect(node, [address])
        record = NodeRecord(time.time_ns() // 1_000_000, f"child {os.getpid()}")
        to = await introduce(link, endpoint.node, sign_item(key, record).signed, "")
        await to.stream.write(encode(LiveJoin(self._live, 0, 0)))
        try:
            async with asyncio.TaskGroup() as group:
                for by_lane in (False, True):
                    group.create_task(self._accept(link, group, by_lane=by_lane))
                await self._hear(to.stream)
        except* LinkClosed:
            pass
        finally:
            await endpoint.close()

    async def _hear(self, control: Stream) -> None:
        frames, has_asked = FrameAssembler(), False
        while chunk := await control.read(65536):
            for body in frames.feed(chunk):
                match decode(body, control_decoder):
                    case Ping(nonce):
                        await control.write(encode(Pong(nonce)))
                    case LiveJoin() if not has_asked:
                        has_asked = True
                        for stripe in range(self._stripes):
                            await control.write(encode(Subscribe(self._live, stripe, 0, 0)))
                    case Redirect(_, stripe):
                        self.refused += 1
                        await asyncio.sleep(0.5)
                        await control.write(encode(Subscribe(self._live, stripe, 0, 0)))
                    case Accept(_, stripe):
                        self._fed.add(stripe)
                        if len(self._fed) == self._stripes:
                            self.is_fed.set()

    async def _accept(self, link: Link, group: asyncio.TaskGroup, *, by_lane: bool) -> None:
        while True:
            group.create_task(self._take(await link.accept_stream(by_lane=by_lane)))

    async def _take(self, stream: Stream) -> None:
        try:
            size = frame_length(await stream.read_exact(HEADER_BYTES))
            if not isinstance(decode(await stream.read_exact(size), request_decoder), Push):
                stream.reset()
                return
            while (head := await next_pushed(stream)) is not None:
                if isinstance(head, int):
                    continue  # left out for being late: it counts as lost
                await stream.read_exact(head.frame_bytes)
                self.arrived.setdefault(head.info.seq, time.monotonic())
                await stream.write(b"\1")
        except LinkClosed:
            pass  # it begins another stream


async def _main(live: str, stripes: int, count: int, node: str, address: str) -> None:
    children = [_Child(LiveId(bytes.fromhex(live)), stripes) for _ in range(count)]
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(each.run(NodeId(bytes.fromhex(node)), address)) for each in children
        ]
        async with asyncio.timeout(LISTEN_S):
            for child in children:
                await child.is_fed.wait()
        say(True)
        while await asyncio.to_thread(told) is not None:
            say([each.arrived for each in children])
            for each in children:
                each.arrived = {}
        for task in running:
            task.cancel()


def main(words: Sequence[str]) -> None:
    live, stripes, count, node, address = words
    uvloop.run(_main(live, int(stripes), int(count), node, address))


if __name__ == "__main__":
    main(sys.argv[1:])
