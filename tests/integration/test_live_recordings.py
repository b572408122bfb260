"""A live that has ended is an ordinary video, byte for byte what its viewers hold; also after a
crash."""

import asyncio
import shutil
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from live_makers import Encoder, go_live, hurry, on_air, read_parts, read_some, watching
from parties import party, read_all, until

from headwater.errors import NotFound, StorageFull
from headwater.live import archive
from headwater.live.view import Ended, LiveView
from headwater.node.node import Node
from headwater.store.store import Store
from headwater.wire.groups import parse_groups
from headwater.wire.ids import LiveId, VideoId
from headwater.wire.items import VideoEntry


async def recording_of(node: Node, live: LiveId) -> VideoEntry:
    """Once it is in that node's catalogue."""
    found: list[VideoEntry] = []

    def look() -> bool:
        videos = node.catalogue.search("").videos
        found[:] = [known.entry for known in videos if known.entry.live == live]
        return bool(found)

    await until(look)
    return found[0]


async def read_to_end(view: LiveView) -> None:
    async with asyncio.timeout(10):
        while not isinstance(await view.next(), Ended):
            pass


async def keep_to_the_end(maker: Node, keeper: Node, view: LiveView) -> None:
    """Some of it is watched and kept, then it ends."""
    keeper.lives.keep(view.live, True)
    await read_some(view, 60)
    await maker.lives.stop(view.live)
    await read_to_end(view)


def test_the_recording_is_what_was_sent_and_those_who_kept_it_have_it_at_once(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            encoder = Encoder(size_bytes=9000)
            async with on_air(a, encoder) as (live, _), watching(b, live) as view:
                await keep_to_the_end(a, b, view)
            entry = await recording_of(b, live)
            video, whole = VideoId(entry.video), b"".join(encoder.made[: _sent(a, live)])
            assert (entry.title, entry.size_bytes) == ("Derby", len(whole))
            assert entry.duration_ms == (_sent(a, live) - 1) * 20
            await until(lambda: b.catalogue.holders(video).whole.count(b.identity.node))
            stored = b.store.get(video)
            assert stored is not None
            assert stored.is_whole
            assert await read_all(a, video) == whole
            assert await read_all(b, video) == whole
            assert a.lives.get(live).entry.recording == video
            groups = parse_groups(a.store.get_blob(entry.groups) or b"", entry.size_bytes)
            assert groups[0].is_init
            assert not any(group.is_init for group in groups[1:])
            await until(lambda: not (tmp_path / "b" / "lives" / live.hex()).exists(), wait_s=15)

    asyncio.run(scenario())


def _sent(node: Node, live: LiveId) -> int:
    return node.lives.get(live).entry.parts


def test_keyframes_in_several_parts_are_recorded_as_they_were_made(tmp_path: Path) -> None:
    async def scenario() -> None:
        large = Encoder(size_bytes=10_000, key_ratio=5)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            async with on_air(a, large) as (live, encoder), watching(b, live) as view:
                await keep_to_the_end(a, b, view)
            entry = await recording_of(b, live)
            video = VideoId(entry.video)
            await until(lambda: b.catalogue.holders(video).whole.count(b.identity.node))
            whole = await read_all(b, video)
            ends = list(accumulate(len(made) for made in encoder.made))
            assert whole == b"".join(encoder.made[: ends.index(entry.size_bytes) + 1])
            assert entry.duration_ms == ends.index(entry.size_bytes) * 20
            assert b.traffic.down.total_bytes == 0
            groups = parse_groups(a.store.get_blob(entry.groups) or b"", entry.size_bytes)
            starts = [0, *ends]
            assert all(group.offset in starts for group in groups)

    asyncio.run(scenario())


def test_who_came_late_and_kept_it_fetches_only_what_it_missed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            async with on_air(a, Encoder(size_bytes=30_000)) as (live, encoder):
                async with watching(a, live) as view:
                    await read_some(view, 60)
                async with watching(b, live) as view:
                    await keep_to_the_end(a, b, view)
            entry = await recording_of(b, live)
            video = VideoId(entry.video)
            await until(lambda: b.catalogue.holders(video).whole.count(b.identity.node))
            assert await read_all(b, video) == b"".join(encoder.made[: _sent(a, live)])
            assert b.traffic.down.total_bytes < entry.size_bytes

    asyncio.run(scenario())


def test_a_recording_can_be_taken_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            async with on_air(a) as (live, _), watching(a, live) as view:
                await read_some(view, 30)
                await a.lives.stop(live)
            video = VideoId((await recording_of(b, live)).video)
            a.forget(video)
            assert a.store.get(video) is None
            await until(lambda: a.catalogue.entry(video) is None)
            await until(lambda: b.catalogue.entry(video) is None)

    asyncio.run(scenario())


def test_who_did_not_keep_it_has_nothing_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            async with on_air(a) as (live, _), watching(b, live) as view:
                await read_some(view, 30)
                await a.lives.stop(live)
                await read_to_end(view)
            entry = await recording_of(b, live)
            assert b.store.get(VideoId(entry.video)) is None

    asyncio.run(scenario())


def test_a_live_that_is_not_to_be_kept_leaves_no_recording(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a:
            hurry(a.lives)
            async with on_air(a, keep_recording=False) as (live, _), watching(a, live) as view:
                await read_some(view, 30)
                await a.lives.stop(live)
            await until(lambda: not (tmp_path / "a" / "lives" / live.hex()).exists())
            assert not a.catalogue.search("").videos
            assert a.lives.get(live).entry.recording == b""

    asyncio.run(scenario())


def test_a_crash_amid_the_live_leaves_a_recording_up_to_the_last_part(tmp_path: Path) -> None:
    async def scenario() -> None:
        state, crashed = tmp_path / "a", tmp_path / "crashed"
        async with (
            party(state) as a,
            on_air(a) as (live, encoder),
            watching(a, live) as view,
        ):
            parts = await read_parts(view, 60)
            await a.lives._taken[live].session.shelf.flush()
            shutil.copytree(state, crashed)  # what a kill -9 at this moment leaves
        with (crashed / "lives" / live.hex() / "000000.heads").open("ab") as heads:
            heads.write(b"\0\0\1")  # the next one was about to be written
        async with party(crashed) as again:
            entry = await recording_of(again, live)
            made = await read_all(again, VideoId(entry.video))
            sent = b"".join(encoder.made)
            assert sent.startswith(made)
            assert len(made) >= sum(len(part.payload) for part in parts)
            status = again.lives.get(live)
            assert (status.state, status.entry.recording) == ("ended", entry.video)
            await until(lambda: not (crashed / "lives" / live.hex()).exists())

    asyncio.run(scenario())


def test_a_node_that_stops_amid_the_live_finishes_the_recording_when_it_is_back(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        state = tmp_path / "a"
        async with party(state) as a, on_air(a) as (live, encoder), watching(a, live) as view:
            await read_some(view, 60)
        async with party(state) as again:
            entry = await recording_of(again, live)
            assert b"".join(encoder.made).startswith(await read_all(again, VideoId(entry.video)))

    asyncio.run(scenario())


def test_a_keeper_that_was_away_at_the_end_adopts_it_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a:
            async with on_air(a) as (live, encoder):
                async with party(tmp_path / "b", a) as b, watching(b, live) as view:
                    b.lives.keep(live, True)
                    await read_some(view, 60)
                await a.lives.stop(live)
            entry = await recording_of(a, live)
            async with party(tmp_path / "b", a) as b:
                video = VideoId(entry.video)
                await until(lambda: b.catalogue.holders(video).whole.count(b.identity.node))
                assert await read_all(b, video) == b"".join(encoder.made[: _sent(a, live)])
                assert not (tmp_path / "b" / "lives" / live.hex()).exists()

    asyncio.run(scenario())


def test_a_recording_that_cannot_be_made_now_is_made_when_it_can(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a:
            hurry(a.lives)
            videos = tmp_path / "a" / "videos"
            async with on_air(a) as (live, encoder), watching(a, live) as view:
                await read_some(view, 30)
                videos.rename(tmp_path / "away")
                videos.write_bytes(b"")  # where a folder should be: nothing can be put there
                await a.lives.stop(live)
            await until(lambda: [job for job in a.activity.jobs() if job.phase == "failed"])
            assert (tmp_path / "a" / "lives" / live.hex()).exists()
            videos.unlink()
            (tmp_path / "away").rename(videos)
            entry = await recording_of(a, live)
            assert b"".join(encoder.made).startswith(await read_all(a, VideoId(entry.video)))
            assert entry.size_bytes >= sum(map(len, encoder.made[:30]))

    asyncio.run(scenario())


def test_what_could_not_be_recorded_stays_for_the_next_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        state = tmp_path / "a"
        async with party(state) as a:
            hurry(a.lives)
            async with on_air(a) as (live, _), watching(a, live) as view:
                await read_some(view, 30)
                (state / "videos").rename(tmp_path / "away")
                (state / "videos").write_bytes(b"")
                await a.lives.stop(live)
            await until(lambda: [job for job in a.activity.jobs() if job.phase == "failed"])
        (state / "videos").unlink()
        (tmp_path / "away").rename(state / "videos")
        async with party(state) as again:
            assert (await recording_of(again, live)).size_bytes > 0

    asyncio.run(scenario())


def test_what_a_crash_cut_short_is_finished_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "RECOVER_AGAIN_S", 0.01)

    async def scenario() -> None:
        state = tmp_path / "a"
        async with party(state) as a, on_air(a) as (live, _), watching(a, live) as view:
            await read_some(view, 60)
        adopt, failures = Store.adopt, [1, 2]

        def adopt_in_the_end(store: Store, *given: Any, **named: Any) -> Any:
            if failures:
                failures.pop()
                raise StorageFull("the disk is full")
            return adopt(store, *given, **named)

        monkeypatch.setattr(Store, "adopt", adopt_in_the_end)
        async with party(state) as again:
            assert (await recording_of(again, live)).size_bytes > 0
            await until(lambda: not (state / "lives" / live.hex()).exists())
        assert not failures

    asyncio.run(scenario())


def test_a_crash_right_after_it_was_moved_still_shares_the_recording(tmp_path: Path) -> None:
    async def scenario() -> None:
        state, crashed = tmp_path / "a", tmp_path / "crashed"
        async with party(state) as a, on_air(a) as (live, _):
            tell = a.lives._archive._tell

            def crash_and_tell(entry: VideoEntry) -> None:
                shutil.copytree(state, crashed)  # what a kill -9 at this moment leaves
                tell(entry)

            a.lives._archive._tell = crash_and_tell  # type: ignore[method-assign]
            async with watching(a, live) as view:
                await read_some(view, 30)
            await a.lives.stop(live)
            entry = await recording_of(a, live)
            whole = await read_all(a, VideoId(entry.video))
        async with party(crashed) as again:
            assert (await recording_of(again, live)).video == entry.video
            assert await read_all(again, VideoId(entry.video)) == whole
            status = again.lives.get(live)
            assert (status.state, status.entry.recording) == ("ended", entry.video)
            await until(lambda: not (crashed / "lives" / live.hex()).exists())

    asyncio.run(scenario())


@pytest.mark.parametrize("keep_recording", [True, False])
def test_a_live_that_a_crash_cut_short_is_not_joined_by_its_own_node(
    tmp_path: Path, keep_recording: bool
) -> None:
    async def scenario() -> None:
        state, crashed = tmp_path / "a", tmp_path / "crashed"
        async with party(tmp_path / "b") as b:
            async with (
                party(state, b) as a,
                on_air(a, keep_recording=keep_recording) as (live, _),
                watching(a, live) as view,
            ):
                await read_parts(view, 60)
                await a.lives._taken[live].session.shelf.flush()
                shutil.copytree(state, crashed)
                await until(lambda: b.catalogue.live(live))
            assert b.lives.get(live).state != "ended"
            async with party(crashed, b) as again:
                await until(lambda: again.catalogue.live(live))
                with pytest.raises(NotFound):  # its page asks anew at once
                    await again.lives.watch(live)
                await until(lambda: b.lives.get(live).state == "ended")
                if keep_recording:
                    assert (await recording_of(b, live)).size_bytes > 0
                await until(lambda: not (crashed / "lives" / live.hex()).exists())

    asyncio.run(scenario())


def test_who_kept_it_and_was_away_for_a_while_goes_on_keeping_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            on_air(a, Encoder(size_bytes=20_000)) as (live, encoder),
        ):
            async with party(tmp_path / "b", a) as b, watching(b, live) as view:
                b.lives.keep(live, True)
                await read_some(view, 60)
            async with party(tmp_path / "b", a) as b:
                async with watching(b, live) as view:
                    assert b.lives.get(live).is_kept
                    await read_some(view, 30)
                    await a.lives.stop(live)
                    await read_to_end(view)
                video = VideoId((await recording_of(b, live)).video)
                await until(lambda: b.catalogue.holders(video).whole.count(b.identity.node))
                whole = b"".join(encoder.made[: _sent(a, live)])
                assert await read_all(b, video) == whole
                assert b.traffic.down.total_bytes < len(whole) / 2

    asyncio.run(scenario())


def test_who_cannot_write_still_watches_and_does_not_go_on_air_unrecorded_unasked(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, _),
        ):
            lives = tmp_path / "b" / "lives"
            (lives / live.hex() / "about.new").mkdir(parents=True)  # in the way of what is noted
            async with watching(b, live) as view:
                await read_some(view, 30)
            shutil.rmtree(lives)
            lives.write_bytes(b"")
            with pytest.raises(StorageFull, match="--no-record"):
                await go_live(b, Encoder())

    asyncio.run(scenario())
