"""The node's end of the process that makes a live."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import aclosing

from headwater.errors import MediaError
from headwater.media import live_pipe as pipe
from headwater.media.live_address import check_source
from headwater.media.live_feed import Feed
from headwater.media.live_options import IngestState, LiveOptions, MadePart

__all__ = ["Feed", "IngestState", "LiveOptions", "MadePart", "check_source", "ingest"]

CHILD = "headwater.media.live_child"
RESTART_AFTER_S = 0.5
MAX_RESTARTS = 5
"""In a row, without a part between them."""
_READ_AHEAD_BYTES = 1024 * 1024
_CHUNK_BYTES = 256 * 1024


async def ingest(options: LiveOptions) -> AsyncGenerator[MadePart | IngestState, None]:
    """Parts and states, until the state is `ended` or `failed`. Closing it ends the process.

    A crash of the process begins a new epoch: an init, and parts that go on in time."""
    begin_us = failures = 0
    while True:
        process = await _start(pipe.job_of(options, begin_us))
        is_over = False
        try:
            if options.feed is not None:
                await options.feed.attach(_Stdin(process))
            async with aclosing(_said(process)) as all_said:
                async for said in all_said:
                    if isinstance(said, MadePart):
                        begin_us, failures = said.pts_us + said.duration_us, 0
                    else:
                        is_over = said.state in ("ended", "failed")
                    yield said
                    if is_over:
                        return
        except BaseException:
            is_over = True
            raise
        finally:
            if options.feed is not None:
                options.feed.detach(is_over=is_over)
            await _end(process)
        failures += 1
        if failures > MAX_RESTARTS:
            yield IngestState("failed", "the source breaks the process that reads it, every time")
            return
        yield IngestState("waiting", "the encoder has crashed and is started again")
        await asyncio.sleep(RESTART_AFTER_S * failures)


class _Stdin:
    """Where a feed's bytes go."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        self._stdin = process.stdin

    async def send(self, chunk: bytes) -> None:
        for at in range(0, len(chunk), _CHUNK_BYTES):
            await self._write(pipe.frame(pipe.BYTES, chunk[at : at + _CHUNK_BYTES]))

    async def recorded(self) -> None:
        await self._write(pipe.frame(pipe.RECORDED))

    async def closed(self) -> None:
        await self._write(pipe.frame(pipe.CLOSED))

    async def _write(self, raw: bytes) -> None:
        self._stdin.write(raw)
        await self._stdin.drain()


async def _start(job: pipe.Job) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # never import what lies in the current directory
        "-m",
        CHILD,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=_READ_AHEAD_BYTES,
        start_new_session=True,  # Ctrl-C is for the node, which then ends its workers itself
    )
    assert process.stdin is not None
    process.stdin.write(pipe.frame(pipe.JOB, job))
    return process


async def _said(process: Process) -> AsyncGenerator[pipe.Said, None]:
    """Until the process ends, however it does."""
    assert process.stdout is not None
    while True:
        try:
            header = await process.stdout.readexactly(pipe.HEADER.size)
            kind, length = pipe.parse_header(header)
            said = pipe.parse_said(kind, await process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, MediaError):
            return
        yield said


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()
