"""Links that misbehave when the lab says so: slow ones, and ones that forge what they send."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headwater.errors import LocalUsageError
from headwater.link.port import Endpoint, Link, Stream
from headwater.link.shaped import ShapedEndpoint
from headwater.wire.ids import NodeId

__all__ = ["FaultyEndpoint", "Faults"]

FORGED_FROM_BYTES = 4096
"""Smaller writes are messages: what is forged is pictures and blocks."""


@dataclass(slots=True)
class Faults:
    """What the node does wrong now."""

    bytes_per_s: float = 0.0
    """It sends no faster than this; 0: as fast as it can."""
    is_forging: bool = False

    def obey(self, line: str) -> None:
        """`slow BYTES_PER_S` (0 ends it), `forge on`, `forge off`. Raises: LocalUsageError."""
        match line.split():
            case ["slow", rate] if rate.isdecimal():
                self.bytes_per_s = float(rate)
            case ["forge", ("on" | "off") as state]:
                self.is_forging = state == "on"
            case _:
                raise LocalUsageError(
                    f"{line!r} is no fault: slow BYTES_PER_S, forge on, forge off"
                )


class _FaultyStream:
    def __init__(self, stream: Stream, faults: Faults) -> None:
        self._stream, self._faults = stream, faults

    async def write(self, payload: bytes) -> None:
        if self._faults.is_forging and len(payload) >= FORGED_FROM_BYTES:
            middle = len(payload) // 2
            payload = payload[:middle] + bytes([payload[middle] ^ 1]) + payload[middle + 1 :]
        await self._stream.write(payload)

    def write_at_once(self, payload: bytes) -> bool:
        return not self._faults.is_forging and self._stream.write_at_once(payload)

    async def finish(self) -> None:
        await self._stream.finish()

    async def read(self, limit: int) -> bytes:
        return await self._stream.read(limit)

    async def peek(self, size: int) -> bytes:
        return await self._stream.peek(size)

    async def read_exact(self, size: int) -> bytes:
        return await self._stream.read_exact(size)

    async def hear(self, take: Callable[[bytes], None]) -> None:
        await self._stream.hear(take)

    def set_priority(self, priority: int) -> None:
        self._stream.set_priority(priority)

    def reset(self) -> None:
        self._stream.reset()


class _FaultyLink:
    def __init__(self, link: Link, faults: Faults) -> None:
        self._link, self._faults = link, faults

    @property
    def peer(self) -> NodeId:
        return self._link.peer

    @property
    def is_dialler(self) -> bool:
        return self._link.is_dialler

    def path(self) -> tuple[str, float | None]:
        return self._link.path()

    @property
    def has_lane(self) -> bool:
        return self._link.has_lane

    def want_lane(self) -> None:
        self._link.want_lane()

    async def open_stream(self, *, priority: int = 0, by_lane: bool = False) -> Stream:
        stream = await self._link.open_stream(priority=priority, by_lane=by_lane)
        return _FaultyStream(stream, self._faults)

    async def accept_stream(self, *, by_lane: bool = False) -> Stream:
        return _FaultyStream(await self._link.accept_stream(by_lane=by_lane), self._faults)

    async def wait_closed(self) -> str:
        return await self._link.wait_closed()

    def close(self, reason: str) -> None:
        self._link.close(reason)


class FaultyEndpoint:
    """An endpoint whose faults may change while it runs."""

    def __init__(self, endpoint: Endpoint, faults: Faults) -> None:
        self._endpoint = ShapedEndpoint(endpoint, 0.0, lambda: faults.bytes_per_s)
        self._faults = faults

    @property
    def node(self) -> NodeId:
        return self._endpoint.node

    def addresses(self) -> tuple[str, ...]:
        return self._endpoint.addresses()

    async def connect(self, node: NodeId, addresses: Sequence[str]) -> Link:
        return _FaultyLink(await self._endpoint.connect(node, addresses), self._faults)

    async def accept(self) -> Link:
        return _FaultyLink(await self._endpoint.accept(), self._faults)

    async def close(self) -> None:
        await self._endpoint.close()
