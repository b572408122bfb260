"""Links inside one process, with the same port as the real ones: for tests that need no network.

Nothing is lost and order is kept, as on a real link; how the bytes are cut into reads, and in what
order waiting tasks run, comes from a seed.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from headwater.errors import Unavailable
from headwater.link.port import LinkClosed
from headwater.wire.ids import NodeId, short_id

__all__ = ["MemoryEndpoint", "MemoryLink", "MemoryStream", "Network"]

WINDOW_BYTES = 256 * 1024
"""A writer waits while so many bytes are unread."""
_HEARD_BYTES = 64 * 1024
T = TypeVar("T")


class _Mailbox(Generic[T]):
    """What arrives, until it is shut. Shape: any number of takers."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._news = asyncio.Event()
        self._shut_for: str | None = None

    def put(self, item: T) -> None:
        self._items.append(item)
        self._news.set()

    def shut(self, reason: str) -> None:
        self._shut_for = reason
        self._news.set()

    async def take(self) -> T:
        while not self._items:
            if self._shut_for is not None:
                raise LinkClosed(self._shut_for)
            self._news.clear()
            await self._news.wait()
        return self._items.popleft()


class _Pipe:
    """One direction of a stream."""

    def __init__(self, wire: "_Wire") -> None:
        self._wire = wire
        self._held = bytearray()
        self._changed = asyncio.Event()
        self._is_finished = False
        self._broken: str | None = None

    async def write(self, payload: bytes) -> None:
        while self._broken is None and len(self._held) >= WINDOW_BYTES:
            await self._change()
        if self._broken is not None or self._is_finished:
            raise LinkClosed(self._broken or "the stream was finished")
        self._held += payload
        self._changed.set()

    def put(self, payload: bytes) -> bool:
        """Whether there was room for all of it."""
        is_open = self._broken is None and not self._is_finished
        if not is_open or len(self._held) + len(payload) > WINDOW_BYTES:
            return False
        self._held += payload
        self._changed.set()
        return True

    def finish(self) -> None:
        if self._broken is not None:
            raise LinkClosed(self._broken)
        self._is_finished = True
        self._changed.set()

    async def read(self, limit: int) -> bytes:
        while True:
            if self._broken is not None:
                raise LinkClosed(self._broken)
            if not self._wire.is_frozen:
                if self._held:
                    break
                if self._is_finished:
                    return b""
            await self._change()
        taken = bytes(self._held[: self._wire.cut(limit)])
        del self._held[: len(taken)]
        self._changed.set()
        return taken

    async def peek(self, size: int) -> bytes:
        def is_there() -> bool:
            return len(self._held) >= size or self._is_finished

        while self._broken is None and (self._wire.is_frozen or not is_there()):
            await self._change()
        if self._broken is not None:
            raise LinkClosed(self._broken)
        return bytes(self._held[:size])

    def unread(self, taken: bytes) -> None:
        self._held[:0] = taken

    def break_off(self, reason: str) -> None:
        if self._broken is None:
            self._broken = reason
            self._changed.set()

    def wake(self) -> None:
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class MemoryStream:
    """One side of a stream."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe, unseen: "_Mailbox[MemoryStream] | None"):
        self._incoming, self._outgoing = incoming, outgoing
        self._unseen = unseen
        """Where the other side waits for new streams, until it has seen this one."""

    def set_priority(self, priority: int) -> None:
        pass  # nothing ever queues here

    async def write(self, payload: bytes) -> None:
        if payload:
            self._show()
        await self._outgoing.write(payload)

    def write_at_once(self, payload: bytes) -> bool:
        is_taken = self._outgoing.put(payload)
        if is_taken:
            self._show()
        return is_taken

    async def finish(self) -> None:
        self._show()
        self._outgoing.finish()

    def _show(self) -> None:
        if self._unseen is not None:
            self._unseen.put(MemoryStream(self._outgoing, self._incoming, None))
            self._unseen = None

    async def read(self, limit: int) -> bytes:
        return await self._incoming.read(limit)

    async def peek(self, size: int) -> bytes:
        return await self._incoming.peek(size)

    async def read_exact(self, size: int) -> bytes:
        taken = bytearray()
        try:
            while len(taken) < size:
                part = await self._incoming.read(size - len(taken))
                if not part:
                    raise LinkClosed(f"the stream ended {size - len(taken)} bytes too early")
                taken += part
        except asyncio.CancelledError:
            self._incoming.unread(bytes(taken))
            raise
        return bytes(taken)

    async def hear(self, take: Callable[[bytes], None]) -> None:
        while data := await self.read(_HEARD_BYTES):
            take(data)

    def reset(self) -> None:
        self._incoming.break_off("the stream was reset")
        self._outgoing.break_off("the stream was reset")


class _Wire:
    """What the two sides of a link share."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.pipes: list[_Pipe] = []
        self.is_frozen = False
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def pipe(self) -> _Pipe:
        self.pipes.append(_Pipe(self))
        return self.pipes[-1]

    def cut(self, limit: int) -> int:
        return self._chance.choice((limit, self._chance.randint(1, limit)))

    def freeze(self, is_frozen: bool) -> None:
        self.is_frozen = is_frozen
        for pipe in self.pipes:
            pipe.wake()

    def close(self, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result(reason)
            for pipe in self.pipes:
                pipe.break_off(reason)


class MemoryLink:
    """One side of a link."""

    def __init__(self, peer: NodeId, wire: _Wire, *, is_dialler: bool) -> None:
        self._peer, self._wire, self._is_dialler = peer, wire, is_dialler
        self.other: MemoryLink
        self.incoming: _Mailbox[MemoryStream] = _Mailbox()

    @property
    def peer(self) -> NodeId:
        return self._peer

    @property
    def is_dialler(self) -> bool:
        return self._is_dialler

    def path(self) -> tuple[str, float | None]:
        return "memory", None

    has_lane = False

    def want_lane(self) -> None:
        pass

    async def open_stream(self, *, priority: int = 0, by_lane: bool = False) -> MemoryStream:
        if self._wire.closed.done():
            raise LinkClosed(self._wire.closed.result())
        return MemoryStream(self._wire.pipe(), self._wire.pipe(), self.other.incoming)

    async def accept_stream(self, *, by_lane: bool = False) -> MemoryStream:
        if by_lane:
            raise LinkClosed(await self.wait_closed())
        return await self.incoming.take()

    async def wait_closed(self) -> str:
        return await asyncio.shield(self._wire.closed)

    def close(self, reason: str) -> None:
        self._wire.close(reason)
        self.incoming.shut(reason)
        self.other.incoming.shut(reason)

    def freeze(self, is_frozen: bool) -> None:
        """Hold back all bytes both ways, as when one side's process is stopped."""
        self._wire.freeze(is_frozen)


class MemoryEndpoint:
    """One node on the network."""

    def __init__(self, network: "Network", node: NodeId, address: str) -> None:
        self._network, self._node, self._address = network, node, address
        self.incoming: _Mailbox[MemoryLink] = _Mailbox()
        self.links: list[MemoryLink] = []
        self.is_closed = False

    @property
    def node(self) -> NodeId:
        return self._node

    def addresses(self) -> tuple[str, ...]:
        return (self._address,)

    async def connect(self, node: NodeId, addresses: Sequence[str]) -> MemoryLink:
        await asyncio.sleep(0)  # as on a real network, others get a turn meanwhile
        for address in addresses:
            other = self._network.at(address)
            if other is not None and other.node == node and not self.is_closed:
                return self._join(other)
        raise Unavailable(f"node {short_id(node)} does not answer at {', '.join(addresses)}")

    def _join(self, other: "MemoryEndpoint") -> MemoryLink:
        wire = self._network.wire()
        mine = MemoryLink(other.node, wire, is_dialler=True)
        theirs = MemoryLink(self._node, wire, is_dialler=False)
        mine.other, theirs.other = theirs, mine
        self.links.append(mine)
        other.links.append(theirs)
        other.incoming.put(theirs)
        return mine

    async def accept(self) -> MemoryLink:
        return await self.incoming.take()

    async def close(self) -> None:
        self.is_closed = True
        for link in self.links:
            link.close("the node stopped")
        self.incoming.shut("this node's endpoint was closed")


class Network:
    """The nodes of one test. `seed` decides how streams are cut into reads."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = random.Random(seed)
        self._endpoints: dict[str, MemoryEndpoint] = {}

    def endpoint(self, node: NodeId) -> MemoryEndpoint:
        """A new node on it."""
        address = f"127.0.0.1:{1024 + len(self._endpoints)}"
        self._endpoints[address] = MemoryEndpoint(self, node, address)
        return self._endpoints[address]

    def at(self, address: str) -> MemoryEndpoint | None:
        found = self._endpoints.get(address)
        return None if found is None or found.is_closed else found

    def wire(self) -> _Wire:
        return _Wire(self._chance)
