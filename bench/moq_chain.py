"""A chain of relays of Media over QUIC (`moq-rs`), which check nothing: how long each part takes.

`python -m bench.moq_chain RELAYS SECONDS PART_MS SIZE,SIZE,...` answers with a list of
milliseconds, from a part's being whole at the publisher to its being whole at the last subscriber.
SIZEs: bytes of the parts of one group, again and again. Publisher, relays and subscriber are
processes of their own.
"""

import asyncio
import importlib.util
import itertools
import os
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

from bench.child import child, say, stdin_closes

__all__ = ["is_installed"]

LOCAL = "127.0.0.1:0"
PATH, TRACK = "live", "parts"
WARM_UP_S = 2.0
MAX_AGE_US = 10_000_000
"""Without it a late group is given up for the next one."""
_STAMP = struct.Struct(">Q")
"""First in each part: when it was whole, nanoseconds of the monotonic clock."""


def is_installed() -> bool:
    return importlib.util.find_spec("moq") is not None


async def _main(relays: int, seconds: int, part_ms: int, sizes: str) -> None:
    async with AsyncExitStack() as stack:
        count = round((seconds + WARM_UP_S) * 1000 / part_ms)
        publisher = await stack.enter_async_context(
            child("bench.moq_chain", "publish", count, part_ms, sizes)
        )
        url = await publisher.answer()
        for _ in range(relays):
            relay = await stack.enter_async_context(child("bench.moq_chain", "relay", url))
            url = await relay.answer()
        watcher = await stack.enter_async_context(child("bench.moq_chain", "watch", url, count))
        took_ms = await watcher.answer(timeout_s=seconds + 60)
        say(took_ms[round(WARM_UP_S * 1000 / part_ms) :])


async def _publish(count: int, part_ms: int, sizes: Sequence[int]) -> None:
    import moq

    async with moq.Server(LOCAL, tls_generate=["localhost"]) as server:
        broadcast = server.create_broadcast(PATH)
        track = broadcast.publish_track(TRACK)
        broadcast.announce()
        say(f"https://{server.local_addr}")
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(_serve(server))
            await track.demand().used()
            await _write(track, count, part_ms / 1000, sizes)
            await stdin_closes()
            serving.cancel()


async def _write(track: Any, count: int, part_s: float, sizes: Sequence[int]) -> None:
    payload = os.urandom(max(sizes))
    began, group = time.monotonic(), None
    for number, size in enumerate(itertools.islice(itertools.cycle(sizes), count)):
        await asyncio.sleep(max(0.0, began + number * part_s - time.monotonic()))
        if number % len(sizes) == 0:
            if group is not None:
                group.finish()
            group = track.append_group()
        assert group is not None
        stamp = _STAMP.pack(time.monotonic_ns())
        group.write_frame(stamp + payload[len(stamp) : size], round(number * part_s * 1e6))
    if group is not None:
        group.finish()
    track.finish()


async def _serve(server: Any) -> None:
    # kept for as long as this runs: a session ends when nobody holds it
    _ = [await request.accept() async for request in server]


async def _relay(url: str) -> None:
    """What comes is cached and passed on below Python, which only holds the sessions."""
    import moq

    origin = moq.OriginProducer()
    async with (
        moq.Client(url, tls_verify=False, subscribe=origin, publish=moq.OriginProducer()),
        moq.Server(LOCAL, tls_generate=["localhost"], publish=origin) as server,
        asyncio.TaskGroup() as group,
    ):
        serving = group.create_task(_serve(server))
        say(f"https://{server.local_addr}")
        await stdin_closes()
        serving.cancel()


async def _watch(url: str, count: int) -> None:
    import moq

    took_ms: list[float] = []
    async with moq.Client(url, tls_verify=False) as client:
        broadcast = await client.announced_broadcast(PATH)
        track = await broadcast.subscribe_track(TRACK, moq.Subscription(max_age_us=MAX_AGE_US))
        while len(took_ms) < count and (group := await track.next_group()) is not None:
            with suppress(moq.Error):  # what is left of a late group is given up on the way
                while (frame := await group.read_frame()) is not None:
                    made_ns = _STAMP.unpack_from(frame.payload)[0]
                    took_ms.append((time.monotonic_ns() - made_ns) / 1e6)
        say(took_ms)
        await stdin_closes()


def main(words: Sequence[str]) -> None:
    match words:
        case ["publish", count, part_ms, sizes]:
            asyncio.run(_publish(int(count), int(part_ms), [int(s) for s in sizes.split(",")]))
        case ["relay", url]:
            asyncio.run(_relay(url))
        case ["watch", url, count]:
            asyncio.run(_watch(url, int(count)))
        case [relays, seconds, part_ms, sizes]:
            asyncio.run(_main(int(relays), int(seconds), int(part_ms), sizes))


if __name__ == "__main__":
    main(sys.argv[1:])
