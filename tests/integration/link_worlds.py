"""Pairs of endpoints of every kind, for the tests that hold for all of them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.link.iroh import bind
from headwater.link.memory import Network
from headwater.link.port import Endpoint, Link, Stream
from headwater.link.shaped import ShapedEndpoint
from headwater.node.config import LinkConfig
from headwater.wire.ids import NodeId

__all__ = ["LOOPBACK", "WORLDS", "World", "linked", "streams"]

LOOPBACK = LinkConfig(bind="127.0.0.1:0")
Pair = tuple[Endpoint, Endpoint]
World = Callable[[], AbstractAsyncContextManager[Pair]]


@asynccontextmanager
async def iroh() -> AsyncIterator[Pair]:
    a, b = [
        await bind(Ed25519PrivateKey.generate().private_bytes_raw(), LOOPBACK) for _ in range(2)
    ]
    try:
        yield a, b
    finally:
        await a.close()
        await b.close()


@asynccontextmanager
async def memory() -> AsyncIterator[Pair]:
    network = Network(seed=7)
    a, b = (network.endpoint(NodeId(os.urandom(32))) for _ in range(2))
    try:
        yield a, b
    finally:
        await a.close()
        await b.close()


@asynccontextmanager
async def shaped() -> AsyncIterator[Pair]:
    async with memory() as (a, b):
        far_a, far_b = ShapedEndpoint(a, 0.002), ShapedEndpoint(b, 0.002, bytes_per_s=1e9)
        try:
            yield far_a, far_b
        finally:
            await far_a.close()
            await far_b.close()


WORLDS: dict[str, World] = {"iroh": iroh, "memory": memory, "shaped": shaped}


@asynccontextmanager
async def linked(world: World) -> AsyncIterator[tuple[Link, Link]]:
    """The two sides of one link; the first dialled."""
    async with world() as (a, b):
        dialled, accepted = await asyncio.gather(a.connect(b.node, b.addresses()), b.accept())
        yield dialled, accepted


@asynccontextmanager
async def streams(world: World) -> AsyncIterator[tuple[Stream, Stream]]:
    """The two sides of one stream; one byte has been used to open it."""
    async with linked(world) as (near, far):
        ours = await near.open_stream()
        await ours.write(b"!")
        theirs = await far.accept_stream()
        await theirs.read_exact(1)
        yield ours, theirs
