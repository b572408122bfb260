"""A recorded live over HTTP: found by its groups, played by FFmpeg's HLS player, sought at once."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256

import av
import pytest
from live_samples import FakeLives, fmp4
from web_fakes import FakeNode, Serving, serving

from headwater.wire.groups import groups_of, pack_groups
from headwater.wire.ids import VideoId


def run(test: Callable[[Serving], Awaitable[None]]) -> None:
    async def _run() -> None:
        async with serving(FakeNode()) as web, asyncio.timeout(15):
            await test(web)

    asyncio.run(_run())


def record(web: Serving, *, is_near: bool = True) -> VideoId:
    """Ten seconds of a live, as they were sent."""
    live = FakeLives().add()
    parts = live.air(fmp4(10.0))
    content = b"".join(part.payload for part in parts)
    groups = pack_groups(groups_of([part.info for part in parts]))
    digest = sha256(groups).digest()
    (web.node.store.blobs if is_near else web.node.transfers.blobs)[digest] = groups
    return web.node.add(content, file_name="Choir.mp4", duration_ms=10_000, groups=digest)


@pytest.mark.parametrize("is_near", [True, False])
def test_the_page_is_sent_to_the_playlist(is_near: bool) -> None:
    async def _test(web: Serving) -> None:
        video = record(web, is_near=is_near)
        got = (await web.client.get(f"/api/v1/videos/{video.hex()}")).json()
        url = f"/v/{video.hex()}/recording.m3u8"
        assert got["stream"] == {"kind": "hls", "url": url}
        text = (await web.client.get(url)).text
        assert text.count("#EXTINF") == 10
        assert (await web.client.get(f"/v/{video.hex()}/playlist.m3u")).text.endswith(f"{url}\n")

    run(_test)


def test_a_player_plays_it_whole_and_reads_little_to_seek() -> None:
    async def _test(web: Serving) -> None:
        video = record(web)
        address = f"{web.server.address}/v/{video.hex()}/recording.m3u8"

        def play() -> tuple[int, float]:
            with av.open(address, "r", timeout=10) as container:
                shown = sum(1 for _ in container.decode(video=0))
            with av.open(address, "r", timeout=10) as container:
                stream = container.streams.video[0]
                assert stream.time_base is not None
                container.seek(round(7.2 / stream.time_base), stream=stream)
                return shown, next(container.decode(video=0)).time or 0.0

        shown, sought = await asyncio.to_thread(play)
        assert shown == 250
        assert sought == pytest.approx(7.0, abs=0.1)

    run(_test)


def test_what_is_no_recording_and_what_is_broken() -> None:
    async def _test(web: Serving) -> None:
        plain = web.node.add(bytes(100))
        assert (await web.client.get(f"/v/{plain.hex()}/recording.m3u8")).status_code == 404
        digest = sha256(b"nonsense").digest()
        web.node.store.blobs[digest] = b"nonsense"
        broken = web.node.add(bytes(100), groups=digest)
        assert (await web.client.get(f"/v/{broken.hex()}/recording.m3u8")).status_code == 415

    run(_test)
