"""A process with an ingest of its own, which the test kills: it tells the number of its child."""

import asyncio

import psutil

from headwater.media.live_ingest import LiveOptions, MadePart, ingest


async def main() -> None:
    async for piece in ingest(LiveOptions("test:", height=180)):
        if isinstance(piece, MadePart) and piece.is_init:
            print(psutil.Process().children()[0].pid, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
