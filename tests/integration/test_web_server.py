"""Binding, other machines, and what a browser could be tricked into, over real connections."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from web_fakes import FakeNode, Serving, serving
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from headwater.errors import Conflict, LocalUsageError
from headwater.node.config import WebConfig
from headwater.web.server import WebServer


def run(test: Callable[[Serving], Awaitable[None]], node: FakeNode) -> None:
    async def _run() -> None:
        async with asyncio.timeout(15), serving(node) as web:
            await test(web)

    asyncio.run(_run())


def test_a_port_in_use_is_told_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = WebConfig(http=f"127.0.0.1:{port}", http_is_default=False)
        with pytest.raises(Conflict, match=f"port {port} is in use by another program: choose"):
            WebServer(FakeNode(), config)


def test_the_default_port_makes_way() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = WebServer(FakeNode(), WebConfig(http=f"127.0.0.1:{port}"))
        assert server.port != port
        assert server.address == f"http://127.0.0.1:{server.port}"
        server.close()


@pytest.mark.parametrize("address", ["127.0.0.1:port", "127.0.0.1:99999", "[::1"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(LocalUsageError, match="HOST:PORT"):
        WebServer(FakeNode(), WebConfig(http=address, http_is_default=False))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(LocalUsageError, match="choose another address with --http"):
        WebServer(FakeNode(), WebConfig(http="192.0.2.1:0", http_is_default=False))


def test_lan_binds_everywhere_and_tells_the_owner_loopback() -> None:
    server = WebServer(FakeNode(), WebConfig(http="127.0.0.1:0", lan=True))
    assert server.host == "0.0.0.0" and server.address.startswith("http://127.0.0.1:")
    server.close()


def test_a_foreign_host_or_origin_gets_a_plain_403() -> None:
    async def _test(web: Serving) -> None:
        for headers in (
            {"Host": f"evil.example:{web.server.port}"},
            {"Origin": "http://evil.example"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        ):
            for path in ("/", "/api/v1/status", "/metrics", "/.well-known/headwater"):
                got = await web.client.get(path, headers=headers)
                assert (got.status_code, got.json()["error"]["code"]) == (403, "forbidden")

    run(_test, FakeNode())


def test_a_websocket_is_guarded_like_the_rest() -> None:
    async def _test(web: Serving) -> None:
        address = web.server.address.replace("http", "ws") + "/api/v1/events"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(address, origin="http://evil.example"):  # type: ignore[arg-type]
                pass
        assert refused.value.response.status_code == 403

    run(_test, FakeNode())


def _as_another_machine(web: Serving) -> dict[str, str]:
    """As a proxy on this machine says it; the tests have no second machine."""
    return {"X-Forwarded-For": "192.0.2.9"}


def test_a_guest_sees_the_library_but_not_the_paths() -> None:
    async def _test(web: Serving) -> None:
        web.node.config = replace(web.node.config)
        video = web.node.add(b"hello")
        guest = _as_another_machine(web)
        status = (await web.client.get("/api/v1/status", headers=guest)).json()
        assert not status["is_owner"] and status["token_needed"]
        assert (status["state_dir"], status["folders"]) == ("", [])
        played = await web.client.get(f"/v/{video.hex()}/file", headers=guest)
        assert played.content == b"hello"
        for path in ("/api/v1/invitation", "/api/v1/shares", "/api/v1/jobs", "/metrics"):
            assert (await web.client.get(path, headers=guest)).status_code == 403

    run(_test, FakeNode(lan=True))


def test_a_change_from_elsewhere_needs_the_token() -> None:
    async def _test(web: Serving) -> None:
        guest = _as_another_machine(web)
        body = {"address": "192.0.2.7:7333"}
        got = await web.client.post("/api/v1/peers", json=body, headers=guest)
        assert got.status_code == 403 and "token" in got.json()["error"]["message"]
        owner = guest | {"Authorization": f"Bearer {web.node.token}"}
        got = await web.client.post("/api/v1/peers", json=body, headers=owner)
        assert got.status_code == 200

    run(_test, FakeNode(lan=True))


def test_the_server_ends_with_a_player_still_waiting() -> None:
    async def _run() -> None:
        node = FakeNode()
        video = node.add(bytes(100_000))
        node.transfers.readers[video].stalls_at = 0
        async with serving(node) as web:
            _, writer = await web.raw()
            host = f"127.0.0.1:{web.server.port}"
            writer.write(f"GET /v/{video.hex()}/file HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            await node.transfers.readers[video].started.wait()
        assert node.transfers.readers[video].open_reads == 0
        writer.close()

    asyncio.run(_run())
