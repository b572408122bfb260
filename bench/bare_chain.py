"""The floor under a chain of relays: TLS 1.3, a signature and a hash of each part, and nothing of
Headwater.

`python -m bench.bare_chain RELAYS SECONDS PART_MS SIZE,SIZE,...` answers with a list of
milliseconds, from a part's being whole at the publisher to its being checked at the last one.
SIZEs: bytes of the parts of one group, again and again. Each is a process of its own.
"""

import asyncio
import hashlib
import itertools
import os
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import cast

import uvloop
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

from bench.bare_tls import client_side, make_certificate, server_side
from bench.child import Child, child, say, stdin_closes

HOST = "127.0.0.1"
WARM_UP_S = 2.0
PUBLIC, SECRET = crypto_sign_seed_keypair(bytes(32))
_INFO = struct.Struct(">QI32s")
"""When it was whole, nanoseconds of the monotonic clock; size and hash of its payload."""
HEAD_BYTES = 64 + _INFO.size
"""Signed."""


class _Receiver(asyncio.BufferedProtocol):
    """Calls `take` with each part, checked: its head's numbers, and all of it."""

    def __init__(self, take: Callable[[int, bytes], None]) -> None:
        self._take = take
        self._scratch = memoryview(bytearray(256 * 1024))
        self._held = bytearray()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        self._held += self._scratch[:nbytes]
        while len(self._held) >= HEAD_BYTES:
            stamp, size, digest = _INFO.unpack_from(self._held, 64)
            if len(self._held) < HEAD_BYTES + size:
                return
            part = bytes(memoryview(self._held)[: HEAD_BYTES + size])
            del self._held[: len(part)]
            crypto_sign_open(part[:HEAD_BYTES], PUBLIC)
            if hashlib.sha256(memoryview(part)[HEAD_BYTES:]).digest() != digest:
                sys.exit("a part was damaged on its way")
            self._take(stamp, part)


async def _listen(certificate: Path, take: Callable[[int, bytes], None]) -> int:
    loop = asyncio.get_running_loop()
    context = server_side(certificate)
    server = await loop.create_server(lambda: _Receiver(take), HOST, 0, ssl=context)
    return cast(int, server.sockets[0].getsockname()[1])


async def _reach(certificate: Path, port: int) -> asyncio.Transport:
    context = client_side(certificate)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, HOST, port, ssl=context)
    return transport


async def _main(relays: int, seconds: int, part_ms: int, sizes: str) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headwater-bench-")))
        certificate = folder / "chain.pem"
        make_certificate(certificate)
        count = round((seconds + WARM_UP_S) * 1000 / part_ms)
        start = partial(_start, stack, certificate)
        watcher = await start("watch", count)
        port = await watcher.answer()
        for _ in range(relays):
            port = await (await start("relay", port)).answer()
        await start("publish", port, count, part_ms, sizes)
        took_ms = await watcher.answer(timeout_s=seconds + 60)
        say(took_ms[round(WARM_UP_S * 1000 / part_ms) :])


async def _start(stack: AsyncExitStack, certificate: Path, *words: str | int) -> Child:
    return await stack.enter_async_context(child("bench.bare_chain", certificate, *words))


async def _watch(count: int, certificate: Path) -> None:
    took_ms: list[float] = []

    def take(stamp: int, part: bytes) -> None:
        took_ms.append((time.monotonic_ns() - stamp) / 1e6)
        if len(took_ms) == count:
            say(took_ms)

    say(await _listen(certificate, take))
    await stdin_closes()


async def _relay(certificate: Path, port: int) -> None:
    below = await _reach(certificate, port)
    say(await _listen(certificate, lambda stamp, part: below.write(part)))
    await stdin_closes()


async def _publish(
    count: int, certificate: Path, port: int, part_s: float, sizes: Sequence[int]
) -> None:
    below = await _reach(certificate, port)
    payload = os.urandom(max(sizes))
    hashes = {size: hashlib.sha256(payload[:size]).digest() for size in sizes}
    began = time.monotonic()
    for number, size in enumerate(itertools.islice(itertools.cycle(sizes), count)):
        await asyncio.sleep(max(0.0, began + number * part_s - time.monotonic()))
        info = _INFO.pack(time.monotonic_ns(), size, hashes[size])
        below.write(crypto_sign(info, SECRET) + payload[:size])
    await stdin_closes()


def main(words: Sequence[str]) -> None:
    match words:
        case [certificate, "watch", count]:
            uvloop.run(_watch(int(count), Path(certificate)))
        case [certificate, "relay", port]:
            uvloop.run(_relay(Path(certificate), int(port)))
        case [certificate, "publish", port, count, part_ms, sizes]:
            each = [int(size) for size in sizes.split(",")]
            part_s = int(part_ms) / 1000
            uvloop.run(_publish(int(count), Path(certificate), int(port), part_s, each))
        case [relays, seconds, part_ms, sizes]:
            asyncio.run(_main(int(relays), int(seconds), int(part_ms), sizes))


if __name__ == "__main__":
    main(sys.argv[1:])
