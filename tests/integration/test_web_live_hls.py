"""LL-HLS of a live in memory: playlists by the rules, parts byte for byte, requests that wait."""

import asyncio
import io
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import av
from hls_rules import check, check_reload
from live_samples import FakeLive, Piece, fmp4, jpegs
from web_fakes import FakeNode, Serving, serving


def run(test: Callable[[Serving], Awaitable[None]]) -> None:
    async def _run() -> None:
        async with serving(FakeNode()) as web, asyncio.timeout(15):
            await test(web)

    asyncio.run(_run())


def base_of(live: FakeLive) -> str:
    return f"/live/{live.entry.live.hex()}"


async def text(web: Serving, address: str) -> str:
    got = await web.client.get(address)
    assert got.status_code == 200, got.text
    assert got.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert got.headers["cache-control"] == "no-cache"
    return got.text


async def content(web: Serving, address: str) -> bytes:
    got = await web.client.get(address)
    assert got.status_code == 200, got.text
    return got.content


def until(made: Sequence[Piece], seconds: float) -> int:
    return next(n for n, piece in enumerate(made) if piece.pts_us >= seconds * 1e6)


def test_the_playlist_names_the_very_parts() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        made = fmp4(4.0)
        live.air(made)
        master = await text(web, f"{base_of(live)}/index.m3u8")
        assert "media.m3u8" in master and 'CODECS="avc1.42c00c, mp4a.40.2"' in master
        assert "RESOLUTION=320x180" in master
        found = check(await text(web, f"{base_of(live)}/media.m3u8"))
        assert found.part_target_s == 0.12
        init = await content(web, f"{base_of(live)}/{found.segments[0].map_uri}")
        assert init == made[0].payload
        parts = [p.uri for s in found.segments for p in s.parts]
        got = [await content(web, f"{base_of(live)}/{uri}") for uri in parts]
        assert got == [piece.payload for piece in made[1 : len(got) + 1]]
        first = found.segments[0]
        whole = await content(web, f"{base_of(live)}/{first.uri}")
        assert whole == b"".join(got[: len(first.parts)])
        taken = datetime.fromtimestamp(live.parts[1].info.capture_us / 1e6, UTC)
        assert datetime.fromisoformat(first.date) == taken
        with av.open(io.BytesIO(init + whole), "r") as container:
            assert len(list(container.decode(video=0))) == 25

    run(_test)


def test_a_player_that_asks_for_what_is_to_come_waits_for_it() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        made = fmp4(5.0)
        now = until(made, 2.0)
        live.air(made[: now + 1])
        address = f"{base_of(live)}/media.m3u8"
        before = check(await text(web, address))
        newest = before.segments[-1]
        asked = f"{address}?_HLS_msn={newest.number}&_HLS_part={len(newest.parts)}"
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(text(web, asked))
            hinted = group.create_task(content(web, f"{base_of(live)}/{before.hint}"))
            await live.idle()
            assert not waiting.done() and not hinted.done()
            live.air(made[now + 1 : now + 2])
        after = check(waiting.result())
        check_reload(before, after)
        assert len(after.segments[-1].parts) == len(newest.parts) + 1
        assert after.segments[-1].parts[-1].uri == before.hint
        assert hinted.result() == made[now + 1].payload
        # a part past the end of its segment is the first of the next
        past = f"{address}?_HLS_msn={newest.number}&_HLS_part=99"
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(text(web, past))
            live.air(made[now + 2 :])
        assert check(waiting.result()).segments[-1].number > newest.number

    run(_test)


def test_what_is_far_ahead_or_long_gone_is_refused() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        live.air(fmp4(2.0))
        address = f"{base_of(live)}/media.m3u8"
        assert (await web.client.get(f"{address}?_HLS_msn=50")).status_code == 400
        for name in ("part/9999.m4s", "segment/3.m4s", "init/7.mp4"):
            got = await web.client.get(f"{base_of(live)}/{name}")
            assert got.status_code == 404, name
        assert (await web.client.get(f"/live/{'00' * 32}/index.m3u8")).status_code == 404

    run(_test)


def test_a_new_encoder_and_the_end_show_in_the_playlist() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        live.air(fmp4(2.0))
        address = f"{base_of(live)}/media.m3u8"
        before = check(await text(web, address))
        live.air(fmp4(2.0, begin_s=2.0, size=(640, 360)))
        live.end()
        number = before.segments[-1].number + 2
        after = check(await text(web, f"{address}?_HLS_msn={number}"))
        check_reload(before, after)
        assert after.is_ended
        assert [s.discontinuity for s in after.segments] == [0, 0, 1, 1]
        inits = [await content(web, f"{base_of(live)}/{s.map_uri}") for s in after.segments]
        assert inits[0] != inits[-1]

    run(_test)


def test_many_players_share_one_view_which_is_closed_with_the_server() -> None:
    live = None

    async def _test(web: Serving) -> None:
        nonlocal live
        live = web.node.lives.add()
        live.air(fmp4(2.0))
        address = f"{base_of(live)}/media.m3u8"
        got = await asyncio.gather(*(web.client.get(address) for _ in range(10)))
        assert {each.text for each in got} == {got[0].text}
        assert len([view for view in live.views if not view.closed.is_set()]) == 1

    run(_test)
    assert live is not None and all(view.closed.is_set() for view in live.views)


def test_pictures_are_no_hls() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add(media_type="image/jpeg")
        live.air(jpegs(0.5))
        got = await web.client.get(f"{base_of(live)}/index.m3u8")
        assert got.status_code == 415 and "stream.mjpeg" in got.text

    run(_test)


def test_a_plain_hls_player_plays_it() -> None:
    """FFmpeg's, over real HTTP, in a thread: it reads the list again and again by itself."""

    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        live.air(fmp4(6.0))
        live.end()
        address = f"{web.server.address}{base_of(live)}/index.m3u8"

        def play() -> list[float]:
            with av.open(address, "r", timeout=10) as container:
                return [frame.time or 0.0 for frame in container.decode(video=0)]

        shown = await asyncio.to_thread(play)
        assert len(shown) == 150
        assert not re.search(r"\bnan\b", str(shown))

    run(_test)
