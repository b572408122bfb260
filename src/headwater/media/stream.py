"""Videos that a browser cannot take as they are, played as HLS while they are still arriving."""

import asyncio

__all__ = ["Streams"]


class Streams:
    async def run(self) -> None:
        await asyncio.Event().wait()
