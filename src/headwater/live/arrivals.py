"""Parts that come from neighbours, pushed or pulled: checked before anything else is done.

Once a node: what is here already, or would not be used, is dropped unchecked. A signature and a
hash take about 0.1 ms, less than a hop to a thread and back."""

import asyncio
from collections.abc import Callable, Sequence

from headwater.catalog.rate import Allowance
from headwater.errors import NodeError, RemoteProtocolError
from headwater.link.port import LinkClosed, Stream
from headwater.live.counters import LiveCounters
from headwater.live.limits import LiveLimits
from headwater.live.part import Head, LivePart, next_pushed
from headwater.live.port import Neighbour
from headwater.live.pull import Busy, pull
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.live import PartInfo

__all__ = ["Arrivals"]

_TAKEN = b"\1"
_DROPPED_BYTES = 64 * 1024
PULL_S = 10.0
"""For all parts of one question."""


class Arrivals:
    """Of one live. The first four functions are the session's: `take` gets each part once,
    `repeated` what was pushed and is not wanted, `left_out` what a parent does not push."""

    def __init__(
        self,
        live: LiveId,
        stream_key: bytes,
        is_wanted: Callable[[PartInfo], bool],
        take: Callable[[LivePart, NodeId, bool], None],
        repeated: Callable[[int, NodeId], None],
        left_out: Callable[[int, NodeId], None],
        counters: LiveCounters,
        limits: LiveLimits,
        clock: Callable[[], float],
    ) -> None:
        self._live, self._stream_key, self._clock = live, stream_key, clock
        self._is_wanted, self._take, self._counters = is_wanted, take, counters
        self._repeated, self._left_out = repeated, left_out
        self._allowance = Allowance(limits.parts_per_s, limits.parts_burst, clock())
        self._room = limits.receiving_bytes
        self._has_room = asyncio.Event()

    async def pushed(self, neighbour: Neighbour, stripe: int, stripes: int, stream: Stream) -> None:
        """Take parts off a push stream until it ends. Raises: LinkClosed; RemoteProtocolError
        when it carries something else."""
        while True:
            came = await next_pushed(stream)
            if came is None:
                return
            neighbour.heard()
            seq = came if isinstance(came, int) else came.info.seq
            if seq % stripes != stripe:
                raise RemoteProtocolError("a part came on the wrong stream")
            if isinstance(came, int):
                self._left_out(came, neighbour.node)
                await asyncio.sleep(0)  # words are short: others have their turn
                continue
            if came.info.live != self._live:
                raise RemoteProtocolError("a part of another live came")
            await self._read(came, stream, neighbour.node, is_pushed=True)
            await asyncio.sleep(0)  # those who pass it on go first
            await stream.write(_TAKEN)

    async def pull(self, neighbour: Neighbour, seqs: Sequence[int]) -> bool:
        """Ask for these parts and take what comes; False when it has enough to do with its
        children. Raises: RemoteProtocolError."""
        self._counters.pulls += 1
        try:
            async with asyncio.timeout(PULL_S):
                async for head, stream in pull(neighbour, self._live, seqs):
                    await self._read(head, stream, neighbour.node, is_pushed=False)
        except Busy:
            return False
        except RemoteProtocolError:
            raise
        except (NodeError, TimeoutError):
            self._counters.pulls_failed += 1
        return True

    async def fetch(self, neighbour: Neighbour, seqs: Sequence[int]) -> list[LivePart]:
        """Those of these parts that it has, of whatever age. Raises: RemoteProtocolError."""
        self._counters.pulls += 1
        parts: list[LivePart] = []
        try:
            async with asyncio.timeout(PULL_S):
                async for head, stream in pull(neighbour, self._live, seqs):
                    parts.append(await self._part(head, stream))
        except RemoteProtocolError:
            raise
        except (NodeError, TimeoutError):
            self._counters.pulls_failed += 1
        return parts

    async def _read(self, head: Head, stream: Stream, node: NodeId, *, is_pushed: bool) -> None:
        if not self._is_worth_checking(head.info, node, is_pushed=is_pushed):
            await _drop(stream, head.frame_bytes)
            return
        part = await self._part(head, stream)
        if self._is_wanted(head.info):
            self._take(part, node, is_pushed)
        else:  # it came another way meanwhile
            self._unwanted(head.info, node, is_pushed=is_pushed)

    async def _part(self, head: Head, stream: Stream) -> LivePart:
        size = head.info.size_bytes
        while self._room < size:
            self._has_room.clear()
            await self._has_room.wait()
        self._room -= size
        try:
            part = await head.read_part(self._stream_key, stream)
        except RemoteProtocolError:
            self._counters.parts_forged += 1
            raise
        finally:
            self._room += size
            self._has_room.set()
        self._counters.parts_received += 1
        self._counters.bytes_received += len(part.frame)
        return part

    def _is_worth_checking(self, info: PartInfo, node: NodeId, *, is_pushed: bool) -> bool:
        if not self._is_wanted(info):
            self._unwanted(info, node, is_pushed=is_pushed)
            return False
        if not self._allowance.take(1, self._clock()):
            self._counters.parts_flooded += 1
            return False
        return True

    def _unwanted(self, info: PartInfo, node: NodeId, *, is_pushed: bool) -> None:
        self._counters.parts_unwanted += 1
        if is_pushed:
            self._repeated(info.seq, node)


async def _drop(stream: Stream, size: int) -> None:
    while size:
        chunk = await stream.read(min(size, _DROPPED_BYTES))
        if not chunk:
            raise LinkClosed("the stream ended inside a part")
        size -= len(chunk)
