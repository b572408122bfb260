"""The floor: a local file over plain HTTP, sent by the kernel. `python -m bench.local_file FILE`"""

import asyncio
import sys
from pathlib import Path

from bench.child import say, stdin_closes
from bench.range_server import serving

__all__ = ["LocalFile"]


class LocalFile:
    """A file on this machine as a range server's content."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size_bytes = path.stat().st_size

    async def send(self, start: int, end: int, writer: asyncio.StreamWriter) -> None:
        with self._path.open("rb") as file:
            loop = asyncio.get_running_loop()
            await loop.sendfile(writer.transport, file, start, end - start)


async def _serve(path: Path) -> None:
    async with serving(LocalFile(path)) as page:
        say({"page": page})
        await stdin_closes()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
