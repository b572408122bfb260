"""Nodes reduced to their links, for the tests of neighbours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.link.memory import MemoryEndpoint, Network
from headwater.link.port import Endpoint, Link, LinkClosed, Stream
from headwater.node.config import LinkConfig
from headwater.node.neighbours import Neighbour, Neighbours
from headwater.wire.frames import encode
from headwater.wire.ids import NodeId
from headwater.wire.items import NodeRecord, Signed, sign_item
from headwater.wire.messages import Control, Hello, Refused, Request

__all__ = ["Person", "Recorder", "hand_dial", "living", "people", "person", "until"]

PATIENT = LinkConfig(silence_s=60.0)
Answer = Callable[[Neighbour, Request, Stream], Awaitable[None]]


async def refuse(neighbour: Neighbour, request: Request, stream: Stream) -> None:
    await stream.write(encode(Refused("missing")))
    await stream.finish()


@dataclass(eq=False)
class Recorder:
    """Handlers that remember what they were told. `seen`: ("up"|"down"|"control", node, what), in
    order."""

    answer: Answer = refuse
    on_control: Callable[[Control], None] = lambda message: None
    seen: list[tuple[str, NodeId, Any]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def _see(self, kind: str, node: NodeId, what: object) -> None:
        self.seen.append((kind, node, what))
        self._changed.set()

    def neighbour_up(self, n: Neighbour) -> None:
        self._see("up", n.node, n)

    def neighbour_down(self, n: Neighbour, reason: str) -> None:
        self._see("down", n.node, reason)

    def control(self, n: Neighbour, message: Control) -> None:
        self._see("control", n.node, message)
        self.on_control(message)

    async def request(self, n: Neighbour, request: Request, stream: Stream) -> None:
        await self.answer(n, request, stream)

    def of(self, kind: str) -> list[Any]:
        return [what for seen_kind, _, what in self.seen if seen_kind == kind]

    async def wait(self, kind: str, count: int = 1) -> Any:
        """The latest of its kind, once there are so many."""
        while len(self.of(kind)) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.of(kind)[-1]


@dataclass(eq=False)
class Person:
    key: Ed25519PrivateKey
    endpoint: Endpoint
    neighbours: Neighbours
    recorder: Recorder

    @property
    def node(self) -> NodeId:
        return self.endpoint.node

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.endpoint.addresses()

    def signed(self) -> Signed:
        return signed_record(self.key)


def signed_record(key: Ed25519PrivateKey, name: str = "somebody") -> Signed:
    return sign_item(key, NodeRecord(version=1, name=name)).signed


def person(
    endpoint: Endpoint,
    key: Ed25519PrivateKey,
    config: LinkConfig = PATIENT,
    answer: Answer = refuse,
    blocked: Container[NodeId] = frozenset(),
) -> Person:
    recorder = Recorder(answer)
    neighbours = Neighbours(endpoint, config, lambda: signed_record(key), recorder, blocked)
    return Person(key, endpoint, neighbours, recorder)


def keys(count: int) -> list[Ed25519PrivateKey]:
    """In the order of their node ids: the first one's dial wins."""
    made = [Ed25519PrivateKey.generate() for _ in range(count)]
    return sorted(made, key=lambda key: key.public_key().public_bytes_raw())


def memory_endpoint(network: Network, key: Ed25519PrivateKey) -> MemoryEndpoint:
    return network.endpoint(NodeId(key.public_key().public_bytes_raw()))


@asynccontextmanager
async def living(*persons: Person) -> AsyncIterator[None]:
    """They run while the block does."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.neighbours.run()) for each in persons]
        await asyncio.sleep(0)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
    for each in persons:
        await each.endpoint.close()


@asynccontextmanager
async def people(
    count: int, config: LinkConfig = PATIENT, *, answer: Answer = refuse, seed: int = 0
) -> AsyncIterator[list[Person]]:
    """So many of them on one memory network, ids ascending."""
    network = Network(seed)
    made = [person(memory_endpoint(network, key), key, config, answer) for key in keys(count)]
    async with living(*made):
        yield made


async def hand_dial(
    endpoint: Endpoint, key: Ed25519PrivateKey, to: Person, proof: bytes = b""
) -> tuple[Link, Stream]:
    """A link whose dialling side is played by the test: hello has been said and answered.

    Raises: LinkClosed when the answer was another one."""
    link = await endpoint.connect(to.node, to.addresses)
    control = await link.open_stream()
    await control.write(encode(Hello(signed_record(key), proof)))
    size = int.from_bytes(await control.read_exact(4), "big")
    if b"hello" not in await control.read_exact(size):
        link.close("refused")
        raise LinkClosed("no hello")
    return link, control


async def until(claim: Callable[[], object]) -> None:
    """For what changes without telling anybody: counters, estimates."""
    async with asyncio.timeout(10):
        while not claim():  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.001)
