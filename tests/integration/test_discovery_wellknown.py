"""`host:port` asked for its record, over real HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.discovery import wellknown
from headwater.discovery.wellknown import encode_record, fetch_record
from headwater.errors import RemoteProtocolError, Unavailable
from headwater.wire.items import NodeRecord, sign_item

ITEM = sign_item(Ed25519PrivateKey.generate(), NodeRecord(version=1, name="anna"))


@asynccontextmanager
async def page(answer: bytes, *, hangs: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives everybody this answer: its `host:port`, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            if not hangs:
                writer.write_eof()
            await reader.read()  # until the other side leaves
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async with asyncio.TaskGroup() as group:
        server = await asyncio.start_server(
            lambda *ends: group.create_task(serve(*ends)), "127.0.0.1", 0
        )
        async with server:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


def http(status: str, body: bytes = b"", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n".encode() + body


def test_the_record_of_a_node_is_fetched_by_its_page_s_address() -> None:
    async def check() -> None:
        async with page(http("200 OK", encode_record(ITEM.signed))) as (address, asked):
            assert await fetch_record(address) == ITEM
            assert await fetch_record(f"http://{address}/") == ITEM
            assert asked[0].startswith(b"GET /.well-known/headwater HTTP/1.1\r\n")

    asyncio.run(check())


@pytest.mark.parametrize(
    "answer",
    [
        http("404 Not Found"),
        http("302 Found", headers="Location: http://127.0.0.1:9/\r\n"),
        http("200 OK", b"<html>hello</html>"),
        http("200 OK", b"x" * (wellknown.MAX_ANSWER_BYTES + 1)),
    ],
    ids=["404", "redirect", "html", "too much"],
)
def test_somebody_else_s_page_is_no_node(answer: bytes) -> None:
    async def check() -> None:
        async with page(answer) as (address, _):
            with pytest.raises(RemoteProtocolError):
                await fetch_record(address)
        await asyncio.sleep(0.01)  # httpx leaves what it did not read to the loop to close

    asyncio.run(check())


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_a_page_that_breaks_off_is_unavailable(answer: bytes) -> None:
    async def check() -> None:
        async with page(answer) as (address, _):
            with pytest.raises(Unavailable, match=address):
                await fetch_record(address)

    asyncio.run(check())


def test_a_page_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wellknown, "TIMEOUT_S", 0.1)

    async def check() -> None:
        async with page(b"HTTP/1.1 200 OK\r\n\r\n{", hangs=True) as (address, _):
            with pytest.raises(Unavailable, match="cannot be reached"):
                await fetch_record(address)

    asyncio.run(check())


def test_nobody_there_is_unavailable() -> None:
    async def check() -> None:
        async with page(b"") as (address, _):
            pass
        with pytest.raises(Unavailable, match="is Headwater up there"):
            await fetch_record(address)

    asyncio.run(check())
