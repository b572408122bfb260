"""A node's shares in a process of their own, to be killed while they share or upload one file.

Arguments: state folder, file, `share` or `upload`, and the place at which to wait for the end."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from shares_world import world

from headwater.node import shares_publication, shares_upload
from headwater.node.shares_files import SharedFiles

STATE, FILE, HOW, PLACE = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
PAYLOAD = FILE.read_bytes()


def wait_here(*_: object, **__: object) -> None:
    os.write(1, b"here\n")
    sys.stdin.read()


async def wait_here_async(*_: object, **__: object) -> None:
    wait_here()


async def chunks() -> AsyncIterator[bytes]:
    yield PAYLOAD[: len(PAYLOAD) // 2]
    if PLACE == "receiving":
        wait_here()
    yield PAYLOAD[len(PAYLOAD) // 2 :]


async def main() -> None:
    if PLACE == "received":
        shares_upload.Uploads._keep = wait_here  # type: ignore[method-assign, assignment]
    if PLACE == "hashed":
        shares_publication._to_the_end = wait_here_async
    if PLACE == "stored":
        SharedFiles.published = wait_here  # type: ignore[method-assign]
    async with world(STATE) as node:
        if HOW == "upload":
            job = await node.shares.receive_upload(FILE.name, chunks(), len(PAYLOAD))
        else:
            (job,) = node.shares.share(FILE)
        if PLACE == "preparing":
            await node.until(lambda: job.phase == "preparing" and job.done > 0)
            wait_here()
        await node.ended(job)
        wait_here()


asyncio.run(main())
