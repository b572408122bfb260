"""The page's files: its own routes, what is no route, what a browser keeps, what a page may do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from web_fakes import FakeNode, Serving, serving

from headwater.web import page


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Headwater</h1>")
    (folder / "assets" / "app-1a2b.js").write_text("play()")
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setattr(page, "STATIC", folder)
    return folder


def run(test: Callable[[Serving], Awaitable[None]]) -> None:
    async def _run() -> None:
        async with asyncio.timeout(15), serving(FakeNode()) as web:
            await test(web)

    asyncio.run(_run())


@pytest.mark.usefixtures("static")
def test_the_pages_own_routes_are_the_page() -> None:
    async def _test(web: Serving) -> None:
        for path in ("/", "/watch/" + "ab" * 32, "/machines", "/settings", "/not/yet/made"):
            got = await web.client.get(path)
            assert (got.status_code, got.text) == (200, "<h1>Headwater</h1>")
            assert got.headers["cache-control"] == "no-cache"
            assert "frame-ancestors 'none'" in got.headers["content-security-policy"]
            assert "script-src" not in got.headers["content-security-policy"]  # 'self' by default

    run(_test)


@pytest.mark.usefixtures("static")
def test_what_is_named_by_its_content_is_kept_for_good() -> None:
    async def _test(web: Serving) -> None:
        got = await web.client.get("/assets/app-1a2b.js")
        assert got.text == "play()" and "immutable" in got.headers["cache-control"]
        assert (await web.client.get("/assets/gone.js")).status_code == 404

    run(_test)


@pytest.mark.usefixtures("static")
def test_no_path_leaves_the_pages_folder() -> None:
    async def _test(web: Serving) -> None:
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"):
            reader, writer = await web.raw()  # a client would tidy the path up
            host = f"127.0.0.1:{web.server.port}"
            ask = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            writer.write(ask.encode())
            assert b"secret" not in await reader.read()
            writer.close()

    run(_test)


@pytest.mark.usefixtures("static")
def test_what_the_api_does_not_know_is_no_page() -> None:
    async def _test(web: Serving) -> None:
        for path in ("/api/v1/nothing", "/v/ab", "/.well-known/other"):
            assert (await web.client.get(path)).status_code == 404

    run(_test)


def test_without_a_page_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "STATIC", tmp_path / "none")

    async def _test(web: Serving) -> None:
        got = await web.client.get("/")
        assert got.status_code == 200 and "make ui" in got.text
        assert (await web.client.get("/api/v1/status")).status_code == 200

    run(_test)
