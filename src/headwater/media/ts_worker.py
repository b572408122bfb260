"""The node's end of one process that makes MPEG-TS of a live."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

__all__ = ["TsWorker"]

CHUNK_BYTES = 64 * 1024


class TsWorker:
    """One epoch: an init and its parts go in, a stretch of TS comes out. `close` always."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> "TsWorker":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # never import what lies in the current directory
            "-m",
            "headwater.media.ts_child",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,  # Ctrl-C is for the node, which then ends its workers itself
        )
        return cls(process)

    async def write(self, fragment: bytes) -> None:
        """Waits while the process is behind. What it does not take any more is dropped."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(fragment)
            await self._process.stdin.drain()

    def finish(self) -> None:
        """Nothing more goes in; what was begun comes out."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def read(self) -> bytes:
        """Some of it, as soon as it is there; empty at the end."""
        assert self._process.stdout is not None
        return await self._process.stdout.read(CHUNK_BYTES)

    async def close(self) -> None:
        """End the process, whatever it does."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self.finish()
        await self._process.wait()
