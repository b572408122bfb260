"""The node's end of one remuxing process."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec

from headwater.errors import MediaError, NodeError
from headwater.media import stream_pipe as pipe

__all__ = ["Source", "Worker"]

MAX_WANTED_BYTES = 1024 * 1024
STOP_WITHIN_S = 2.0


class Source(Protocol):
    """A video's bytes, as transfer/reader.py has them."""

    @property
    def size_bytes(self) -> int: ...
    def read(
        self, start: int, length: int, *, session: str | None = None
    ) -> AsyncIterator[bytes]: ...


class _Feed:
    """One read that goes on as long as the process reads on: what comes next is on its way."""

    def __init__(self, source: Source, session: str) -> None:
        self._source, self._session = source, session
        self._chunks: AsyncIterator[bytes] | None = None
        self._at = 0
        self._held = bytearray()

    async def take(self, start: int, length: int) -> bytes:
        """Bytes [start, start + length). Raises: MediaError when they lie outside the video."""
        if not 0 < length <= MAX_WANTED_BYTES or start + length > self._source.size_bytes:
            raise MediaError("the process that reads the video wants what is not there")
        if self._chunks is None or start != self._at:
            await self.close()
            self._at = start
            rest = self._source.size_bytes - start
            self._chunks = self._source.read(start, rest, session=self._session)
        while len(self._held) < length:
            chunk = await anext(self._chunks, b"")
            if not chunk:
                raise MediaError("the video could not be read to its end")
            self._held += chunk
        part = bytes(self._held[:length])
        del self._held[:length]
        self._at += length
        return part

    async def close(self) -> None:
        chunks, self._chunks = self._chunks, None
        self._held.clear()
        close: Callable[[], Awaitable[None]] | None = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


class Worker:
    """Cuts one video. Shape: one request at a time, which the caller sees to."""

    def __init__(self, process: Process, source: Source, session: str) -> None:
        self._process, self._feed = process, _Feed(source, session)

    @classmethod
    async def start(cls, source: Source, session: str) -> "Worker":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # never import what lies in the current directory
            "-m",
            "headwater.media.stream_child",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,  # Ctrl-C is for the node, which then ends its workers itself
        )
        return cls(process, source, session)

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def open(self, opening: pipe.Opening) -> list[float]:
        """The lengths of its segments in seconds. Raises: MediaError."""
        raw = await self._ask(pipe.frame(pipe.OPEN, opening))
        return msgspec.msgpack.decode(raw, type=list[float])

    async def init(self) -> bytes:
        return await self._ask(pipe.frame(pipe.INIT))

    async def segment(self, number: int) -> bytes:
        """Cancelling stops the work, and the process is ready for the next request."""
        return await self._ask(pipe.frame(pipe.SEGMENT, number))

    async def close(self) -> None:
        """End the process, whatever it does."""
        if self.is_running:
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
        await self._feed.close()

    async def _ask(self, request: bytes) -> bytes:
        try:
            self._write(request)
            return await self._answer()
        except asyncio.CancelledError:
            await self._stop()
            raise
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise MediaError("the video broke the process that reads it: it is damaged") from error

    async def _answer(self) -> bytes:
        while True:
            kind, body = await self._receive()
            if kind == pipe.MADE:
                return body
            if kind == pipe.FAILED:
                failure = msgspec.msgpack.decode(body, type=pipe.Failure)
                raise MediaError(failure.message or "the video cannot be read")
            wanted = msgspec.msgpack.decode(body, type=pipe.Stretch)
            try:
                part = await self._feed.take(wanted.start, wanted.length)
            except NodeError:
                await self._stop()
                raise
            self._write(pipe.frame(pipe.BYTES, part))

    async def _stop(self) -> None:
        """Make the process give up, or end it where it does not listen."""
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._feed.close()
                self._write(pipe.frame(pipe.STOP))
                while (await self._receive())[0] == pipe.WANT:
                    pass  # asked before it heard us: STOP is its answer
        except (TimeoutError, MediaError, asyncio.IncompleteReadError, ConnectionError):
            await self.close()

    async def _receive(self) -> tuple[int, bytes]:
        assert self._process.stdout is not None
        header = await self._process.stdout.readexactly(pipe.HEADER.size)
        kind, length = pipe.parse_header(header)
        return kind, await self._process.stdout.readexactly(length)

    def _write(self, raw: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(raw)
