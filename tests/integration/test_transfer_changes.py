"""What happens to a video while it is read or copied: its file changes, its entry is taken back,
its copy moves. Between whole nodes over real links."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from parties import Published, make_file, party, publish, read_all, until

from headwater.errors import ContentChanged, NotFound
from headwater.node.config import LimitsConfig, StoreConfig
from headwater.node.node import Node
from headwater.wire.ids import VideoId
from headwater.wire.items import Holding, Retraction, sign_item

SIZE = 5 * 1024 * 1024 + 12345
SLOW = LimitsConfig(up_bytes_per_s=2_000_000)


async def _knows(node: Node, video: VideoId) -> None:
    await until(lambda: node.catalogue.entry(video) is not None)


def _retract(node: Node, video: VideoId) -> None:
    entry = Retraction(time.time_ns() // 1_000_000 + 1000, video)
    node.gossip.publish([sign_item(node.identity.key, entry)])


def _hold(node: Node, file: Published) -> None:
    """`node` has it as well, from a file of its own."""
    path = file.path.with_name(f"of-{node.name}.mp4")
    path.write_bytes(file.path.read_bytes())
    node.store.adopt(file.torrent, file.leaves, path, owned=False)
    node.gossip.publish([sign_item(node.identity.key, Holding(1, file.video, "whole"))])


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"not what was shared")


def _truncate(path: Path) -> None:
    os.truncate(path, 1000)


def _delete(path: Path) -> None:
    path.unlink()


CHANGES = pytest.mark.parametrize("change", [_overwrite, _truncate, _delete])


@CHANGES
def test_a_holder_whose_file_changed_says_so_and_is_asked_no_more(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            change(file.path)
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(read_all(b, file.video))
                await until(lambda: b.transfers.sources(file.video).changed_on)
                view = b.transfers.sources(file.video)
                reading.cancel()
            assert view.changed_on == (a.identity.node,)
            assert (view.nodes, view.waiting_for) == ((), ())
            assert a.identity.node in b.neighbours.connected()

    asyncio.run(run())


@CHANGES
def test_a_copy_learns_it_on_the_bulk_connection(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", 4 * SIZE)
        async with party(tmp_path / "a", limits=SLOW) as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            job = b.keep(file.video)
            await until(lambda: b.client.counters.bulk_requests > 0)
            change(file.path)
            await until(lambda: b.transfers.sources(file.video).changed_on)
            assert not job.is_ended

    asyncio.run(run())


@CHANGES
def test_where_others_have_it_nobody_notices_the_change(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        truth = file.path.read_bytes()
        async with (
            asyncio.TaskGroup() as group,
            party(tmp_path / "c") as c,
            party(tmp_path / "a", c, limits=SLOW) as a,
            party(tmp_path / "b", c, limits=SLOW) as b,
        ):
            publish(a, file)
            _hold(b, file)
            await until(lambda: len(c.catalogue.holders(file.video).whole) == 2)
            reading = group.create_task(read_all(c, file.video))
            await until(lambda: c.transfers.open(file.video).have_blocks > 40)
            change(file.path)
            assert await asyncio.wait_for(reading, 15) == truth
            assert c.transfers.sources(file.video).changed_on == ()

    asyncio.run(run())


def test_a_file_that_is_put_back_and_told_of_again_is_read_on(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        aside = tmp_path / "aside.mp4"
        async with (
            asyncio.TaskGroup() as group,
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
        ):
            publish(a, file)
            await _knows(b, file.video)
            file.path.rename(aside)
            reading = group.create_task(read_all(b, file.video))
            await until(lambda: b.transfers.sources(file.video).changed_on)
            aside.rename(file.path)
            stored = a.store.get(file.video)
            assert stored is not None and await asyncio.to_thread(stored.check)
            publish(a, file, has_it=False)
            assert await asyncio.wait_for(reading, 15) == file.path.read_bytes()

    asyncio.run(run())


def test_a_neighbour_that_begins_to_share_it_helps_those_who_wait(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with (
            asyncio.TaskGroup() as group,
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
        ):
            publish(a, file, has_it=False)
            await _knows(b, file.video)
            reading = group.create_task(read_all(b, file.video))
            await until(lambda: b.client.counters.refusals)
            a.store.adopt(file.torrent, file.leaves, file.path, owned=False)
            publish(a, file, has_it=False)
            assert await asyncio.wait_for(reading, 15) == file.path.read_bytes()

    asyncio.run(run())


def test_the_owners_own_player_goes_on_from_the_others(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        truth = file.path.read_bytes()
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            _hold(b, file)
            await until(lambda: len(a.catalogue.holders(file.video).whole) == 2)
            reading = a.transfers.reader(file.video).read(0, SIZE)
            got = await anext(reading)
            _overwrite(file.path)
            got += b"".join([chunk async for chunk in reading])
            assert got == truth
            assert a.store.used_bytes == 0

    asyncio.run(run())


def test_the_owners_own_player_is_told_where_nobody_else_has_it(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a:
            publish(a, file)
            _overwrite(file.path)
            with pytest.raises(ContentChanged, match=r"film\.mp4 was changed"):
                await read_all(a, file.video)

    asyncio.run(run())


@pytest.mark.parametrize("watching", ["store", "pass"])
def test_a_reader_that_waits_for_what_is_taken_back_ends(tmp_path: Path, watching: str) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        config = StoreConfig(watching="store" if watching == "store" else "pass")
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a, store=config) as b:
            publish(a, file, has_it=False)
            await _knows(b, file.video)
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(_failure(b, file.video))
                await until(lambda: b.client.counters.refusals)
                _retract(a, file.video)
                error = await asyncio.wait_for(reading, 10)
            assert isinstance(error, NotFound) and "no longer shared" in str(error)
            again = await _failure(b, file.video)
            assert isinstance(again, NotFound) and "no longer shared" in str(again)

    asyncio.run(run())


async def _failure(node: Node, video: VideoId) -> Exception | None:
    try:
        await read_all(node, video)
    except (NotFound, ContentChanged) as error:
        return error
    return None


def test_a_copy_of_what_is_taken_back_ends(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file, has_it=False)
            await _knows(b, file.video)
            job = b.keep(file.video)
            _retract(a, file.video)
            await until(lambda: job.is_ended)
            assert (job.phase, job.code) == ("failed", "not_found")
            assert "no longer shared" in job.error

    asyncio.run(run())


def test_what_is_taken_back_still_comes_from_who_kept_it(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with (
            asyncio.TaskGroup() as group,
            party(tmp_path / "c") as c,
            party(tmp_path / "a", c) as a,
            party(tmp_path / "b", c, limits=SLOW) as b,
        ):
            publish(a, file)
            _hold(b, file)
            await until(lambda: len(c.catalogue.holders(file.video).whole) == 2)
            reading = group.create_task(read_all(c, file.video))
            await until(lambda: c.transfers.open(file.video).have_blocks > 20)
            _retract(a, file.video)
            a.store.remove(file.video)
            assert await asyncio.wait_for(reading, 15) == file.path.read_bytes()

    asyncio.run(run())


def test_what_is_here_whole_plays_on_when_it_is_taken_back(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            assert len(await read_all(b, file.video)) == SIZE
            stored = b.transfers.open(file.video)
            await until(lambda: stored.is_whole and stored.torrent is not None)
            b.transfers.stop(file.video)
            reading = b.transfers.reader(file.video).read(0, SIZE)
            got = await anext(reading)
            _retract(a, file.video)
            await until(lambda: b.catalogue.entry(file.video) is None)
            got += b"".join([chunk async for chunk in reading])
            assert got == file.path.read_bytes()
            assert b.store.get(file.video) is not None  # whoever paused comes back to it

    asyncio.run(run())


def test_a_player_does_not_notice_that_the_copy_is_handed_over(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        folder = tmp_path / "out"
        folder.mkdir()
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            reading = b.transfers.reader(file.video).read(0, SIZE)
            got = await anext(reading)
            job = b.get(file.video, folder)
            await until(lambda: job.is_ended)
            a.neighbours.ban(b.identity.node, "nothing more is to come from here")
            got += b"".join([chunk async for chunk in reading])
            assert got == file.path.read_bytes()

    asyncio.run(run())


def test_others_who_are_fed_by_it_do_not_notice_either(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        folder = tmp_path / "out"
        folder.mkdir()
        async with party(tmp_path / "b", limits=SLOW) as b, party(tmp_path / "c", b) as c:
            async with party(tmp_path / "a", b) as a:
                publish(a, file)
                await _knows(b, file.video)
                job = b.keep(file.video)
                await until(lambda: job.is_ended)
            await until(lambda: b.identity.node in c.catalogue.holders(file.video).whole)
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(read_all(c, file.video))
                await until(lambda: c.transfers.open(file.video).have_blocks > 20)
                job = b.get(file.video, folder)
                await until(lambda: job.is_ended)
                assert await asyncio.wait_for(reading, 15) == file.path.read_bytes()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("named", "called"), [("A better name.mp4", "A better name.mp4"), ("2:1?.mp4", "2_1_.mp4")]
)
def test_a_copy_is_called_as_its_entry_says_now(tmp_path: Path, named: str, called: str) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        folder = tmp_path / "out"
        folder.mkdir()
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            publish(a, replace(file, path=file.path.with_name(named)), has_it=False)
            await until(lambda: _file_name(b, file.video) == named)
            job = b.get(file.video, folder)
            await until(lambda: job.is_ended)
            assert job.phase == "done", job.error
            assert os.listdir(folder) == [called]

    asyncio.run(run())


def _file_name(node: Node, video: VideoId) -> str:
    known = node.catalogue.entry(video)
    return known.entry.file_name if known else ""


def test_a_player_goes_on_when_the_copy_here_is_dropped(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a", limits=SLOW) as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            reading = b.transfers.reader(file.video).read(0, SIZE)
            got = await anext(reading)
            b.forget(file.video)
            got += b"".join([chunk async for chunk in reading])
            assert got == file.path.read_bytes()

    asyncio.run(run())
