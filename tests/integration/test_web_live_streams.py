"""Lives for players that are no browsers, PyAV being the player."""

import asyncio
import io
from collections.abc import Awaitable, Callable

import av
import pytest
from live_samples import FakeLive, fmp4, jpegs
from web_fakes import FakeNode, Serving, serving


def run(test: Callable[[Serving], Awaitable[None]]) -> None:
    async def _run() -> None:
        async with serving(FakeNode()) as web, asyncio.timeout(15):
            await test(web)

    asyncio.run(_run())


def base_of(live: FakeLive) -> str:
    return f"/live/{live.entry.live.hex()}"


def shown(media: bytes, kind: str | None = None) -> list[float]:
    """When each picture is shown."""
    with av.open(io.BytesIO(media), "r", format=kind) as container:
        return [round(frame.time or 0.0, 3) for frame in container.decode(video=0)]


async def all_of(web: Serving, live: FakeLive, name: str) -> bytes:
    got = await web.client.get(f"{base_of(live)}/{name}")
    assert got.status_code == 200, got.text
    return got.content


@pytest.mark.parametrize(("name", "kind"), [("stream.mp4", "mp4"), ("stream.ts", "mpegts")])
def test_it_begins_at_the_newest_keyframe_and_goes_on_to_the_end(name: str, kind: str) -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        live.air(fmp4(2.0))
        async with asyncio.TaskGroup() as group:
            playing = group.create_task(all_of(web, live, name))
            await live.idle()
            live.air(fmp4(2.0, begin_s=2.0)[1:])
            live.end()
        assert shown(playing.result(), kind) == [round(1 + n / 25, 3) for n in range(75)]
        with av.open(io.BytesIO(playing.result()), "r", format=kind) as container:
            assert len(list(container.decode(audio=0))) > 120
        assert live.views[0].closed.is_set()

    run(_test)


def test_mp4_ends_with_its_encoder_ts_goes_on() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        live.air(fmp4(1.0))
        live.air(fmp4(1.0, begin_s=1.0, size=(640, 360)))
        live.end()
        assert len(shown(await all_of(web, live, "stream.mp4"))) == 25  # of the newest encoder
        live = web.node.lives.add()
        live.air(fmp4(1.0))
        async with asyncio.TaskGroup() as group:
            mp4 = group.create_task(all_of(web, live, "stream.mp4"))
            ts = group.create_task(all_of(web, live, "stream.ts"))
            await live.idle(2)
            live.air(fmp4(1.0, begin_s=1.0, size=(640, 360)))
            live.end()
        assert len(shown(mp4.result(), "mp4")) == 25
        assert len(shown(ts.result(), "mpegts")) == 50

    run(_test)


def test_a_player_that_leaves_takes_its_process_with_it() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        live.air(fmp4(2.0))
        for name in ("stream.ts", "stream.mp4"):
            async with web.client.stream("GET", f"{base_of(live)}/{name}") as answer:
                async for chunk in answer.aiter_raw():
                    assert chunk
                    break
            await live.views[-1].closed.wait()

    run(_test)


def test_a_gap_is_passed_over() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        made = live.air(fmp4(3.0))
        second = [p.info.seq for p in made if p.info.is_key][1]
        live.missing = set(range(second - 3, second))
        live.first = 1
        live.end()
        pictures = shown(await all_of(web, live, "stream.mp4"))
        assert 50 < len(pictures) < 75 and pictures[0] == 0

    run(_test)


def test_pictures_come_as_cameras_send_them() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add(media_type="image/jpeg")
        made = jpegs(1.0)
        live.first = 1
        live.air(made)
        live.end()
        got = await web.client.get(f"{base_of(live)}/stream.mjpeg")
        assert got.headers["content-type"].startswith("multipart/x-mixed-replace")
        assert got.content.count(b"--picture\r\n") == 25
        assert made[1].payload in got.content
        assert len(shown(got.content, "mpjpeg")) == 25
        refused = await web.client.get(f"{base_of(live)}/stream.mp4")
        assert refused.status_code == 415 and "stream.mjpeg" in refused.text

    run(_test)


def test_a_playlist_names_the_stream() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add("Choir evening")
        got = await web.client.get(f"{base_of(live)}/playlist.m3u")
        assert got.text.splitlines() == [
            "#EXTM3U",
            "#EXTINF:-1,Choir evening",
            f"{web.server.address}{base_of(live)}/stream.ts",
        ]
        assert 'filename="Choir evening.m3u"' in got.headers["content-disposition"]

    run(_test)


def test_a_live_that_is_not_there() -> None:
    async def _test(web: Serving) -> None:
        for name in ("stream.mp4", "stream.ts", "stream.mjpeg", "playlist.m3u"):
            got = await web.client.get(f"/live/{'00' * 32}/{name}")
            assert got.status_code == 404

    run(_test)
