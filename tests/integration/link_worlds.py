"""Pairs of endpoints of every kind, for the tests that hold for all of them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.link.iroh import bind
from headwater.link.memory import Network
from headwater.link.port import Endpoint, Link, Stream
from headwater.link.shaped import ShapedEndpoint
from headwater.node.config import LinkConfig
from headwater.wire.ids import NodeId

__all__ = ["LOOPBACK", "WAYS", "WORLDS", "Pair", "Way", "World", "laned", "linked", "streams"]

LOOPBACK = LinkConfig(bind="127.0.0.1:0")
Pair = tuple[Endpoint, Endpoint]
World = Callable[[], AbstractAsyncContextManager[Pair]]
Way = Callable[[], AbstractAsyncContextManager[tuple[Link, Link]]]


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
async def laned() -> AsyncIterator[tuple[Link, Link]]:
    """The two sides of a link that has its lane."""
    async with linked(iroh) as (near, far), asyncio.timeout(20):
        wanting = await near.open_stream(by_lane=True)
        await wanting.write(b"!")
        (await far.accept_stream()).reset()
        while not (near.has_lane and far.has_lane):  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.001)
        yield near, far


@asynccontextmanager
async def streams(way: Way) -> AsyncIterator[tuple[Stream, Stream]]:
    """The two sides of one stream; one byte has been used to open it."""
    by_lane = way is laned
    async with way() as (near, far):
        ours = await near.open_stream(by_lane=by_lane)
        await ours.write(b"!")
        theirs = await far.accept_stream(by_lane=by_lane)
        await theirs.read_exact(1)
        yield ours, theirs


WAYS: dict[str, Way] = {name: partial(linked, world) for name, world in WORLDS.items()}
WAYS["lane"] = laned
"""Every kind of stream there is."""
