"""Files over real HTTP: ranges, early ends, and what a player's leaving does to the read."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import httpx
import pytest
from web_fakes import FakeNode, Serving, serving

from headwater.errors import ContentChanged, NotFound
from headwater.web.gateway import pacing

SIZE = 1_000_000
PAYLOAD = os.urandom(SIZE)


def run(test: Callable[[Serving], Awaitable[None]], node: FakeNode | None = None) -> None:
    async def _run() -> None:
        async with asyncio.timeout(15), serving(node or FakeNode()) as web:
            await test(web)

    asyncio.run(_run())


def test_ranges_are_the_very_bytes() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(PAYLOAD)
        for header, status, expected in [
            (None, 200, PAYLOAD),
            ("bytes=0-99", 206, PAYLOAD[:100]),
            ("bytes=999990-", 206, PAYLOAD[-10:]),
            ("bytes=-7", 206, PAYLOAD[-7:]),
            ("bytes=65530-200001", 206, PAYLOAD[65530:200002]),
            ("bytes=0-1,5-6", 200, PAYLOAD),
        ]:
            headers = {"Range": header} if header else {}
            got = await web.client.get(f"/v/{video.hex()}/file", headers=headers)
            assert (got.status_code, got.content == expected) == (status, True)
            assert int(got.headers["content-length"]) == len(expected)

    run(_test)


def test_a_media_element_stores_no_second_copy() -> None:
    async def _test(web: Serving) -> None:
        url = f"/v/{web.node.add(PAYLOAD).hex()}/file"
        for kind, keeps in [
            ("video", "no-store"),
            ("audio", "no-store"),
            ("document", "immutable"),
        ]:
            got = await web.client.get(url, headers={"Sec-Fetch-Dest": kind})
            assert keeps in got.headers["cache-control"]
            assert got.content == PAYLOAD

    run(_test)


def test_head_and_416_and_304() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(PAYLOAD)
        url = f"/v/{video.hex()}/file"
        head = await web.client.head(url)
        assert (head.status_code, head.headers["content-length"]) == (200, str(SIZE))
        beyond = await web.client.get(url, headers={"Range": f"bytes={SIZE}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{SIZE}")
        again = await web.client.get(url, headers={"If-None-Match": head.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert web.node.transfers.readers[video].reads == []

    run(_test)


def test_a_media_element_keeps_its_line_where_the_rest_was_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pacing, "RETRY_S", 0.01)

    async def _test(web: Serving) -> None:
        video = web.node.add(PAYLOAD)
        url, element = f"/v/{video.hex()}/file", {"Sec-Fetch-Dest": "video"}
        reader = web.node.transfers.readers[video]
        reader.fails_at = (65536, NotFound("it is no longer shared"))
        for start in (0, 65536):
            ranged = {**element, "Range": f"bytes={start}-"}
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(web.client.get(url, headers=ranged))
                reader.reads.clear()
                while len(reader.reads) < 5:  # it looks again and again
                    reader.started.clear()
                    await reader.started.wait()
                assert not asking.done()
                reader.fails_at = None  # and there it is
            assert asking.result().content == PAYLOAD[start:]
            reader.fails_at = (65536, NotFound("it is no longer shared"))
        with pytest.raises(httpx.RemoteProtocolError):  # who is no element is told at once
            await web.client.get(url)
        reader.fails_at = (0, NotFound("it is no longer shared"))
        nothing = await web.client.get(url, headers=element)
        assert nothing.status_code == 404 and "no longer shared" in nothing.text

    run(_test)


def test_a_strangers_page_is_a_download_and_nothing_else() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(
            b"<script>alert(1)</script>", file_name="a.html", media_type="text/html"
        )
        got = await web.client.get(f"/v/{video.hex()}/file")
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-disposition"].startswith("attachment;")
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-security-policy"].startswith("sandbox;")

    run(_test)


def test_download_gives_the_file_its_name() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(PAYLOAD, file_name="Ferien ä.mp4")
        url = (await web.client.get(f"/api/v1/videos/{video.hex()}")).json()["download"]
        got = await web.client.get(url)
        assert got.content == PAYLOAD
        assert "filename*=UTF-8''Ferien%20%C3%A4.mp4" in got.headers["content-disposition"]

    run(_test)


def test_a_player_that_leaves_ends_the_read_that_waits() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(PAYLOAD)
        reader = web.node.transfers.readers[video]
        reader.stalls_at = 128 * 1024
        async with web.client.stream("GET", f"/v/{video.hex()}/file") as got:
            await anext(got.aiter_raw())
        await reader.closed.wait()
        assert reader.open_reads == 0

    run(_test)


def test_a_player_that_leaves_before_the_first_byte_ends_the_read() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(PAYLOAD)
        reader = web.node.transfers.readers[video]
        reader.stalls_at = 0
        _, writer = await web.raw()
        host = f"127.0.0.1:{web.server.port}"
        writer.write(f"GET /v/{video.hex()}/file HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await reader.started.wait()
        writer.close()
        await reader.closed.wait()

    run(_test)


def test_a_slow_player_is_not_read_ahead_for() -> None:
    async def _test(web: Serving) -> None:
        big = bytes(64 * 1024 * 1024)
        video = web.node.add(big)
        reader = web.node.transfers.readers[video]
        async with web.client.stream("GET", f"/v/{video.hex()}/file") as got:
            pieces = got.aiter_raw()
            await anext(pieces)
            # All that is buffered between the two is far less than the file: the read stands still.
            assert reader.open_reads == 1
        await reader.closed.wait()

    run(_test)


def test_a_file_that_changed_says_so() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(PAYLOAD)
        error = ContentChanged("holiday.mp4 was changed after it was shared")
        web.node.transfers.readers[video].fails_at = (0, error)
        got = await web.client.get(f"/v/{video.hex()}/file")
        assert got.status_code == 410
        assert got.json()["error"] == {"code": "content_changed", "message": str(error)}

    run(_test)


def test_a_read_that_fails_in_the_middle_cuts_the_connection() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(PAYLOAD)
        web.node.transfers.readers[video].fails_at = (128 * 1024, ContentChanged("changed"))
        with pytest.raises(httpx.RemoteProtocolError):
            await web.client.get(f"/v/{video.hex()}/file")
        assert (await web.client.get("/api/v1/status")).status_code == 200

    run(_test)


def test_a_session_is_passed_on_with_its_client() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(PAYLOAD)
        await web.client.get(f"/v/{video.hex()}/file?session=tab1", headers={"Range": "bytes=0-9"})
        await web.client.get(f"/v/{video.hex()}/file", headers={"Range": "bytes=5-9"})
        assert web.node.transfers.readers[video].reads == [(0, 10, "127.0.0.1 tab1"), (5, 5, None)]

    run(_test)


def test_an_unknown_video_is_404_in_plain_words() -> None:
    async def _test(web: Serving) -> None:
        for name in ("00" * 32, "nonsense", "00" * 31, "zz" * 32):
            got = await web.client.get(f"/v/{name}/file")
            assert got.status_code == 404 and got.json()["error"]["code"] == "not_found"

    run(_test)
