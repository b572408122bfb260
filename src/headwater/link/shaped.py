"""A longer way for the bytes: whatever this node sends arrives later, and no faster than a rate.
For measuring.

It is a pipeline: as much is on its way as the delay and the rate allow, and order is kept, so that
a delay costs no throughput.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence

from headwater.errors import NodeError
from headwater.link.background import Background
from headwater.link.port import Endpoint, Link, LinkClosed, Stream
from headwater.wire.ids import NodeId

__all__ = ["ShapedEndpoint"]

MAX_ON_THE_WAY_BYTES = 64 * 1024 * 1024
"""Of one stream; then a writer waits. 40 ms at 1 GB/s are 40 MB."""
_PART_BYTES = 64 * 1024
"""A limited rate sends parts of this size, so that streams take turns."""
_PACKET_BYTES = 1200
_RESEND_S = 0.010
"""How long QUIC takes, apart from the way there and back, to notice that a packet is lost."""


class _Line:
    """The way out of one node, shared by all its streams."""

    def __init__(self, delay_s: float, rate: Callable[[], float], loss: float) -> None:
        self.delay_s, self._rate, self._loss = delay_s, rate, loss
        self._free_s = 0.0
        self.background = Background()

    def arrival_s(self, size: int) -> float:
        """When the last of so many bytes comes out at the other end, if they are sent now."""
        now, bytes_per_s = asyncio.get_running_loop().time(), self._rate()
        if bytes_per_s:
            self._free_s = max(now, self._free_s) + size / bytes_per_s
            now = self._free_s
        return now + self.delay_s + self._resend_s(size)

    def _resend_s(self, size: int) -> float:
        """What a lost packet among them costs: its stream waits for it to be sent again."""
        if not self._loss:
            return 0.0
        packets = -(-size // _PACKET_BYTES)
        is_lost = random.random() > (1 - self._loss) ** packets
        return 2 * self.delay_s + _RESEND_S if is_lost else 0.0

    def parts(self, payload: bytes) -> list[bytes]:
        if not self._rate():
            return [payload]
        return [payload[at : at + _PART_BYTES] for at in range(0, len(payload), _PART_BYTES)]


class ShapedStream:
    """Writes go on their way and return; reads are the other side's business."""

    def __init__(self, stream: Stream, line: _Line) -> None:
        self._stream, self._line = stream, line
        self._on_the_way: deque[tuple[float, bytes | None]] = deque()
        self._bytes = 0
        self._is_moving = False
        self._has_room = asyncio.Event()
        self._failed: NodeError | None = None

    def set_priority(self, priority: int) -> None:
        self._stream.set_priority(priority)

    async def write(self, payload: bytes) -> None:
        while self._bytes >= MAX_ON_THE_WAY_BYTES and self._failed is None:
            self._has_room.clear()
            await self._has_room.wait()
        for part in self._line.parts(payload):
            self._send(part)

    def write_at_once(self, payload: bytes) -> bool:
        return False  # it takes its time

    async def finish(self) -> None:
        self._send(None)

    def _send(self, part: bytes | None) -> None:
        if self._failed is not None:
            raise LinkClosed(str(self._failed)) from self._failed
        size = len(part) if part else 0
        before_s = self._on_the_way[-1][0] if self._on_the_way else 0.0
        self._on_the_way.append((max(before_s, self._line.arrival_s(size)), part))
        self._bytes += size
        if not self._is_moving:
            self._is_moving = True
            self._line.background.start(self._move(), "link.shaped")

    async def _move(self) -> None:
        """Hand over what has arrived, until nothing is on its way."""
        loop = asyncio.get_running_loop()
        try:
            while self._on_the_way:
                arrival_s, part = self._on_the_way[0]
                await asyncio.sleep(arrival_s - loop.time())
                if part is None:
                    await self._stream.finish()
                else:
                    await self._stream.write(part)
                    self._bytes -= len(part)
                    self._has_room.set()
                if self._on_the_way:
                    self._on_the_way.popleft()
        except NodeError as error:
            self._fail(error)
        finally:
            self._is_moving = False

    def _fail(self, error: NodeError) -> None:
        self._failed = error
        self._on_the_way.clear()
        self._has_room.set()

    async def read(self, limit: int) -> bytes:
        return await self._stream.read(limit)

    async def peek(self, size: int) -> bytes:
        return await self._stream.peek(size)

    async def read_exact(self, size: int) -> bytes:
        return await self._stream.read_exact(size)

    async def hear(self, take: Callable[[bytes], None]) -> None:
        await self._stream.hear(take)

    def reset(self) -> None:
        self._fail(LinkClosed("closed by this node"))
        self._stream.reset()


class ShapedLink:
    """A link whose streams are shaped."""

    def __init__(self, link: Link, line: _Line) -> None:
        self._link, self._line = link, line

    @property
    def peer(self) -> NodeId:
        return self._link.peer

    @property
    def is_dialler(self) -> bool:
        return self._link.is_dialler

    def path(self) -> tuple[str, float | None]:
        name, rtt_s = self._link.path()
        return name, None if rtt_s is None else rtt_s + 2 * self._line.delay_s

    @property
    def has_lane(self) -> bool:
        return self._link.has_lane

    def want_lane(self) -> None:
        self._link.want_lane()

    async def open_stream(self, *, priority: int = 0, by_lane: bool = False) -> ShapedStream:
        stream = await self._link.open_stream(priority=priority, by_lane=by_lane)
        return ShapedStream(stream, self._line)

    async def accept_stream(self, *, by_lane: bool = False) -> ShapedStream:
        return ShapedStream(await self._link.accept_stream(by_lane=by_lane), self._line)

    async def wait_closed(self) -> str:
        return await self._link.wait_closed()

    def close(self, reason: str) -> None:
        self._link.close(reason)


class ShapedEndpoint:
    """An endpoint whose node lies `delay_s` away from everybody, one way; `bytes_per_s` (or what it
    gives when asked) 0 means no limit; of its packets the share `loss` is lost and sent again."""

    def __init__(
        self,
        endpoint: Endpoint,
        delay_s: float,
        bytes_per_s: float | Callable[[], float] = 0.0,
        loss: float = 0.0,
    ) -> None:
        self._endpoint = endpoint
        rate = bytes_per_s if callable(bytes_per_s) else lambda: bytes_per_s
        self._line = _Line(delay_s, rate, loss)

    @property
    def node(self) -> NodeId:
        return self._endpoint.node

    def addresses(self) -> tuple[str, ...]:
        return self._endpoint.addresses()

    async def connect(self, node: NodeId, addresses: Sequence[str]) -> ShapedLink:
        await asyncio.sleep(2 * self._line.delay_s)  # the handshake takes one way there and back
        return ShapedLink(await self._endpoint.connect(node, addresses), self._line)

    async def accept(self) -> ShapedLink:
        return ShapedLink(await self._endpoint.accept(), self._line)

    async def close(self) -> None:
        await self._line.background.close()
        await self._endpoint.close()
