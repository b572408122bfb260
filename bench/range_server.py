"""The least HTTP server that a video element can play and seek from: GET, one range, keep-alive."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

__all__ = ["Content", "serving"]

RANGE = re.compile(rb"\r\nrange: *bytes=(\d+)-(\d*)", re.IGNORECASE)

PAGE = b"""<!doctype html>
<meta charset="utf-8"><title>floor</title><link rel="icon" href="data:,">
<style>body{margin:0;font:16px sans-serif}a{display:block;width:320px;height:180px;background:#888}
video{width:960px;height:540px}</style>
<a data-testid="card" href="#">play</a>
<script>
const card = document.querySelector("a"), player = document.createElement("video");
player.id = "player";
card.onclick = (event) => {
  event.preventDefault();
  player.src = "/file";
  player.play();
  document.body.append(player);
};
</script>
"""


class Content(Protocol):
    """What is served at /file."""

    @property
    def size_bytes(self) -> int: ...

    async def send(self, start: int, end: int, writer: asyncio.StreamWriter) -> None:
        """Write the bytes [start, end). Raises: ConnectionError when the browser has gone."""


@asynccontextmanager
async def serving(content: Content) -> AsyncIterator[str]:
    """The page's address while the block runs. Shape: / is the page, /file the content."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await _answer(await reader.readuntil(b"\r\n\r\n"), content, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a browser drops its connection at every seek
        finally:
            writer.close()

    answering: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = group.create_task(answer(reader, writer))
            answering.add(task)
            task.add_done_callback(answering.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.close()
            for task in answering:
                task.cancel()


async def _answer(request: bytes, content: Content, writer: asyncio.StreamWriter) -> None:
    path = request.split(b" ", 2)[1]
    if path != b"/file":
        body = PAGE if path == b"/" else b""
        status = "200 OK" if body else "404 Not Found"
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        return
    asked, size = RANGE.search(request), content.size_bytes
    start = int(asked[1]) if asked else 0
    end = min(size, int(asked[2]) + 1) if asked and asked[2] else size
    head = (
        f"HTTP/1.1 {'206 Partial Content' if asked else '200 OK'}\r\n"
        f"content-type: video/mp4\r\naccept-ranges: bytes\r\ncontent-length: {end - start}\r\n"
    )
    if asked:
        head += f"content-range: bytes {start}-{end - 1}/{size}\r\n"
    writer.write(f"{head}\r\n".encode())
    await content.send(start, end, writer)
