"""Neighbours that are killed, stopped and woken: real processes, over iroh."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from link_worlds import LOOPBACK
from neighbour_nodes import Person, keys, living, person

import headwater
from headwater.link.iroh import bind
from headwater.node.config import LinkConfig
from headwater.wire.ids import NodeId
from headwater.wire.messages import Follow

SOURCE = Path(headwater.__file__).parents[1]
CHILD = Path(__file__).with_name("neighbour_child.py")
PATIENT_S = 60.0


@asynccontextmanager
async def child(silence_s: float) -> AsyncIterator[tuple[Process, NodeId, list[str]]]:
    """A node in a process of its own: the process, its id, its addresses."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        str(silence_s),
        stdout=PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    try:
        assert process.stdout is not None
        node, *addresses = (await process.stdout.readline()).decode().split()
        yield process, NodeId(bytes.fromhex(node)), addresses
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def parent(silence_s: float) -> AsyncIterator[Person]:
    key = keys(1)[0]
    config = LinkConfig(silence_s=silence_s)
    me = person(await bind(key.private_bytes_raw(), LOOPBACK), key, config)
    async with living(me):
        yield me


def test_a_neighbour_that_is_killed_is_found_dead() -> None:
    async def check() -> None:
        async with child(PATIENT_S) as (process, node, addresses), parent(1.2) as me:
            await me.neighbours.dial(node, addresses)
            process.kill()
            assert (await me.recorder.wait("down")).startswith("silent for 1.")
            assert not me.neighbours.connected()

    asyncio.run(check())


def test_a_neighbour_that_is_stopped_is_found_dead_and_comes_back_when_it_is_woken() -> None:
    async def check() -> None:
        async with child(PATIENT_S) as (process, node, addresses), parent(1.2) as me:
            me.neighbours.keep(node, addresses)
            await me.recorder.wait("up")
            process.send_signal(signal.SIGSTOP)
            assert (await me.recorder.wait("down")).startswith("silent for 1.")
            process.send_signal(signal.SIGCONT)
            again = await me.recorder.wait("up", 2)
            again.send(Follow(bytes(32)))
            assert await me.recorder.wait("control") == Follow(bytes(32))

    asyncio.run(check())


def test_a_node_that_was_stopped_itself_does_not_take_the_others_for_dead() -> None:
    async def check() -> None:
        async with child(0.4) as (process, node, addresses), parent(PATIENT_S) as me:
            neighbour = await me.neighbours.dial(node, addresses)
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1.5)  # longer than it waits for others
            process.send_signal(signal.SIGCONT)
            neighbour.send(Follow(bytes(32)))
            assert await me.recorder.wait("control") == Follow(bytes(32))
            assert process.stdout is not None
            assert await process.stdout.readline() == b"echoed, links lost so far: 0\n"
            assert not me.recorder.of("down")

    asyncio.run(check())
