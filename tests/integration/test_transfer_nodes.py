"""Transfers between whole nodes over real links: honest ones, dying ones, lying ones."""

import asyncio
import errno
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from parties import make_file, party, publish, read_all, until

from headwater.errors import StorageFull, Unavailable
from headwater.link.port import Stream
from headwater.node.config import LimitsConfig, StoreConfig
from headwater.node.node import Node
from headwater.store.owned_video import OwnedVideo
from headwater.transfer import client
from headwater.transfer.client import MAX_FALSE_ANSWERS
from headwater.transfer.port import Blocks, Neighbour
from headwater.transfer.swarm import FRESH_BYTES
from headwater.wire import frames
from headwater.wire.ids import BLOCK_BYTES, VideoId
from headwater.wire.items import Holding, Retraction, sign_item
from headwater.wire.messages import BlocksReply, GetBlocks, GetInfo, InfoReply, Request

SIZE = 5 * 1024 * 1024 + 12345


async def _knows(node: Node, video: bytes) -> None:
    await until(lambda: node.catalogue.entry(video) is not None)  # type: ignore[arg-type]


def test_another_node_reads_it_byte_for_byte(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            assert await read_all(b, file.video) == file.path.read_bytes()
            middle = await read_all(b, file.video, 1_000_001, 777)
            assert middle == file.path.read_bytes()[1_000_001 : 1_000_001 + 777]

    asyncio.run(run())


def test_a_copy_is_whole_proven_and_told_of(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            job = b.keep(file.video)
            await until(lambda: job.is_ended)
            assert job.phase == "done", job.error
            stored = b.store.get(file.video)
            assert stored is not None and stored.is_whole and stored.torrent == file.torrent
            await until(lambda: b.identity.node in a.catalogue.holders(file.video).whole)
            assert b.client.counters.bulk_requests > 0

    asyncio.run(run())


def test_a_copy_is_told_of_though_its_last_answer_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else wakes who copies, when the last block is written and that is not said yet."""

    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            plain, is_whole, answers = b.client.fetch, asyncio.Event(), []

            async def fetch(stored: Blocks, *ask: Any, **how: Any) -> None:
                await plain(stored, *ask, **how)
                answers.append(ask)
                if stored.is_whole:
                    is_whole.set()
                    await asyncio.Event().wait()  # until it is withdrawn
                elif len(answers) == 2:  # before its first nobody is asked for a second
                    await is_whole.wait()
                    raise Unavailable("the link ended")

            monkeypatch.setattr(b.client, "fetch", fetch)
            publish(a, file)
            await _knows(b, file.video)
            job = b.keep(file.video)
            await until(lambda: job.is_ended)
            assert job.phase == "done", job.error
            await until(lambda: b.identity.node in a.catalogue.holders(file.video).whole)

    asyncio.run(run())


def test_who_was_killed_before_it_could_tell_tells_at_the_next_start(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a:
            publish(a, file)
            async with party(tmp_path / "b", a) as b:
                await _knows(b, file.video)
                job = b.keep(file.video)
                await until(lambda: job.is_ended)
                await until(lambda: b.identity.node in a.catalogue.holders(file.video).whole)
                key = sign_item(b.identity.key, Holding(1, file.video, "partial")).key
                version = b.catalogue.next_version(key)
                older = sign_item(b.identity.key, Holding(version, file.video, "partial"))
                b.gossip.publish([older])
                await until(lambda: b.identity.node in a.catalogue.holders(file.video).partial)
            async with party(tmp_path / "b", a):
                await until(lambda: b.identity.node in a.catalogue.holders(file.video).whole)

    asyncio.run(run())


def test_got_into_a_folder_it_is_an_ordinary_file_there(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        folder = tmp_path / "out"
        folder.mkdir()
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            job = b.get(file.video, folder)
            await until(lambda: job.is_ended)
            assert job.phase == "done", job.error
            assert (folder / "film.mp4").read_bytes() == file.path.read_bytes()
            assert await read_all(b, file.video) == file.path.read_bytes()

    asyncio.run(run())


def test_the_video_goes_through_a_node_that_only_has_a_copy(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "b") as b:
            async with party(tmp_path / "a", b) as a:
                publish(a, file)
                await _knows(b, file.video)
                job = b.keep(file.video)
                await until(lambda: job.is_ended)
            async with party(tmp_path / "c", b) as c:  # the publisher is gone
                await _knows(c, file.video)
                assert await read_all(c, file.video) == file.path.read_bytes()

    asyncio.run(run())


def test_a_reader_waits_for_the_only_holder_and_goes_on_by_itself(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        slow = LimitsConfig(up_bytes_per_s=1_500_000)
        async with asyncio.TaskGroup() as group, party(tmp_path / "b") as b:
            async with party(tmp_path / "a", b, limits=slow) as a:
                publish(a, file)
                await _knows(b, file.video)
                reading = group.create_task(read_all(b, file.video))
                stored = b.transfers.open(file.video)
                await until(lambda: stored.have_blocks > 20)
            await until(lambda: b.transfers.sources(file.video).waiting_for)
            waiting = b.transfers.sources(file.video).waiting_for
            assert waiting == (a.identity.node,)
            assert not reading.done()
            async with party(tmp_path / "a", b):
                assert await asyncio.wait_for(reading, 15) == file.path.read_bytes()

    asyncio.run(run())


def test_with_two_holders_nobody_notices_that_one_dies(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        slow = LimitsConfig(up_bytes_per_s=2_000_000)
        async with (
            asyncio.TaskGroup() as group,
            party(tmp_path / "c") as c,
            party(tmp_path / "b", c, limits=slow) as b,
        ):
            async with party(tmp_path / "a", b, c, limits=slow) as a:
                publish(a, file)
                b.store.adopt(file.torrent, file.leaves, file.path, owned=False)
                item = sign_item(b.identity.key, Holding(1, file.video, "whole"))
                b.gossip.publish([item])
                await _knows(c, file.video)
                await until(lambda: len(c.catalogue.holders(file.video).whole) == 2)
                reading = group.create_task(read_all(c, file.video))
                stored = c.transfers.open(file.video)
                await until(lambda: stored.have_blocks > 40)
            assert await asyncio.wait_for(reading, 15) == file.path.read_bytes()

    asyncio.run(run())


def _lie(node: Node) -> None:
    """From now on `node` answers with noise of the right size."""

    async def answer(neighbour: Neighbour, request: Request, stream: Stream) -> None:
        if isinstance(request, GetBlocks):
            size = min(request.count * 16384, SIZE - request.first * 16384)
            await stream.write(frames.encode(BlocksReply(size)) + b"\xaa" * size)
        elif isinstance(request, GetInfo):
            await stream.write(frames.encode(InfoReply(5, 0)) + b"d1:ae")
        await stream.finish()

    node.server.answer = answer  # type: ignore[method-assign]


def test_false_blocks_never_reach_a_reader_and_cost_the_liar_its_link(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with (
            party(tmp_path / "c") as c,
            party(tmp_path / "good", c) as good,
            party(tmp_path / "liar", c) as liar,
        ):
            publish(good, file)
            _lie(liar)
            claim = sign_item(liar.identity.key, Holding(1, file.video, "whole"))
            liar.gossip.publish([claim])
            await _knows(c, file.video)
            await until(lambda: len(c.catalogue.holders(file.video).whole) == 2)
            assert await read_all(c, file.video) == file.path.read_bytes()
            assert c.client.counters.false_answers >= 1
            for _ in range(MAX_FALSE_ANSWERS):
                c.transfers.stop(file.video)
                c.store.remove(file.video)
                assert await read_all(c, file.video) == file.path.read_bytes()
            await until(lambda: liar.identity.node not in c.neighbours.connected())

    asyncio.run(run())


def test_a_file_changed_behind_the_nodes_back_is_never_shown(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with (
            asyncio.TaskGroup() as group,
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
        ):
            publish(a, file)
            await _knows(b, file.video)
            truth = file.path.read_bytes()
            with file.path.open("r+b") as changed:
                changed.seek(SIZE // 2)
                changed.write(b"not what was shared")
            got = bytearray()

            async def read() -> None:
                async for chunk in b.transfers.reader(file.video).read(0, SIZE):
                    got.extend(chunk)

            reading = group.create_task(read())
            await until(lambda: b.client.counters.refusals > 0 or len(got) == SIZE)
            reading.cancel()
            assert truth.startswith(bytes(got))
            stored = a.store.get(file.video)
            assert stored is not None and "film.mp4" in stored.problem
            assert a.identity.node in b.neighbours.connected()

    asyncio.run(run())


def test_three_receivers_help_each_other(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", 4 * SIZE)
        slow = LimitsConfig(up_bytes_per_s=8_000_000)
        async with (
            party(tmp_path / "a", limits=slow) as a,
            party(tmp_path / "b", a) as b,
            party(tmp_path / "c", a, b) as c,
            party(tmp_path / "d", a, b, c) as d,
        ):
            publish(a, file)
            jobs = []
            for node in (b, c, d):
                await _knows(node, file.video)
                jobs.append(node.keep(file.video))
            await until(lambda: all(job.is_ended for job in jobs), wait_s=60)
            assert {job.phase for job in jobs} == {"done"}
            assert a.traffic.up.total_bytes < 2 * 4 * SIZE

    asyncio.run(run())


@pytest.mark.parametrize(("is_said", "films"), [(True, 2), (False, 5)])
def test_a_class_of_six_that_watches_takes_less_of_a_thin_uplink_than_six_would(
    tmp_path: Path, is_said: bool, films: int
) -> None:
    """Whether the publisher's node was told how thin its line is or not."""

    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        said, line = (2_000_000, 0) if is_said else (0, 2_000_000)
        async with AsyncExitStack() as stack:
            publisher = await stack.enter_async_context(
                party(
                    tmp_path / "a",
                    limits=LimitsConfig(up_bytes_per_s=said),
                    line_bytes_per_s=line,
                )
            )
            nodes = [publisher]
            for name in "bcdefg":
                nodes.append(await stack.enter_async_context(party(tmp_path / name, *nodes)))
            publish(publisher, file)
            viewers = nodes[1:]
            for viewer in viewers:
                await _knows(viewer, file.video)
            truth = file.path.read_bytes()
            for got in await asyncio.gather(*(read_all(one, file.video) for one in viewers)):
                assert got == truth
            assert publisher.traffic.up.total_bytes < films * SIZE
            for viewer in viewers:
                assert viewer.traffic.down.total_bytes < 1.2 * SIZE

    asyncio.run(run())


def test_what_only_passes_leaves_nothing_on_disk(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        passing = StoreConfig(watching="pass", pass_bytes=1024 * 1024)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a, store=passing) as b:
            publish(a, file)
            await _knows(b, file.video)
            assert await read_all(b, file.video) == file.path.read_bytes()
            assert b.store.get(file.video) is None
            job = b.keep(file.video)  # and still it can be kept
            await until(lambda: job.is_ended)
            assert job.phase == "done", job.error

    asyncio.run(run())


def test_what_was_watched_makes_room_for_what_is_watched_now(tmp_path: Path) -> None:
    async def run() -> None:
        old, new = make_file(tmp_path / "old.mp4", SIZE), make_file(tmp_path / "new.mp4", SIZE)
        small = StoreConfig(quota_bytes=SIZE + SIZE // 16)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a, store=small) as b:
            for file in (old, new):
                publish(a, file)
                await _knows(b, file.video)
            await read_all(b, old.video)
            b.transfers.stop(old.video)
            assert await read_all(b, new.video) == new.path.read_bytes()
            assert b.store.get(old.video) is None
            job = b.keep(new.video)
            await until(lambda: job.is_ended)
            with pytest.raises(StorageFull):
                await read_all(b, old.video)  # what was asked for is not dropped

    asyncio.run(run())


def test_a_disk_that_fails_is_told_at_once_and_tried_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            with monkeypatch.context() as patched:
                patched.setattr(OwnedVideo, "_write", fail)
                for _ in range(8):  # whom one asks again and again in vain is asked seldom
                    job = b.keep(file.video)
                    await until(lambda: job.is_ended)  # noqa: B023 - waited for right here
                    assert (job.code, "Read-only" in job.error) == ("storage_full", True)
            job = b.keep(file.video)
            await until(lambda: job.is_ended)
            assert job.phase == "done"

    asyncio.run(run())


def test_what_cannot_be_dropped_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        gone, other = (make_file(tmp_path / f"{name}.mp4", 300_000) for name in ("gone", "other"))
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            for file in (gone, other):
                publish(a, file)
                await _knows(b, file.video)
            await read_all(b, gone.video)
            b.transfers.stop(gone.video)
            refused = asyncio.Event()

            def refuse(video: VideoId) -> None:
                refused.set()
                raise StorageFull("the disk does not let go of it")

            monkeypatch.setattr(b.store, "remove", refuse)
            entry = Retraction(time.time_ns() // 1_000_000 + 1000, gone.video)
            a.gossip.publish([sign_item(a.identity.key, entry)])
            await refused.wait()
            assert await read_all(b, other.video) == other.path.read_bytes()

    asyncio.run(run())


def test_a_copy_that_does_not_fit_says_so_and_loses_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        small = StoreConfig(quota_bytes=SIZE // 2)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a, store=small) as b:
            publish(a, file)
            await _knows(b, file.video)
            job = b.keep(file.video)
            await until(lambda: job.is_ended)
            assert job.phase == "failed" and job.error
            stored = b.store.get(file.video)
            assert stored is not None and stored.have_blocks > 0

    asyncio.run(run())


def test_a_disk_that_fails_ends_the_reading_and_not_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[int]:
        raise OSError(errno.EIO, "Input/output error")

    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            with monkeypatch.context() as patched:
                patched.setattr(OwnedVideo, "write", fail)
                with pytest.raises(Unavailable, match="disk of the store fails"):
                    await read_all(b, file.video)
            assert await read_all(b, file.video) == file.path.read_bytes()

    asyncio.run(run())


def test_a_reader_waits_for_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", 500_000)  # more would take all threads
        monkeypatch.setattr(client, "INLINE_BYTES", 0)
        disk, write = threading.Event(), OwnedVideo.write

        def write_in_the_end(
            stored: OwnedVideo, first: int, payload: bytes, leaves: bytes
        ) -> list[int]:
            assert disk.wait(30)
            return write(stored, first, payload, leaves)

        monkeypatch.setattr(OwnedVideo, "write", write_in_the_end)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            try:
                assert await read_all(b, file.video) == file.path.read_bytes()
                stored = b.store.get(file.video)
                assert stored is not None and stored.have_blocks == 0
            finally:
                disk.set()
            await until(lambda: stored.is_whole)

    asyncio.run(run())


def test_what_came_last_is_all_that_is_kept_in_memory(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", 3 * FRESH_BYTES)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            assert await read_all(b, file.video) == file.path.read_bytes()
            swarm = next(iter(b.transfers._swarms))
            held = [len(payload) for _, payload in swarm._fresh]
            assert FRESH_BYTES / 2 < sum(held) <= FRESH_BYTES

    asyncio.run(run())


def test_a_stopped_node_goes_on_with_its_copies_and_fetches_nothing_twice(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        slow = LimitsConfig(up_bytes_per_s=2_000_000)
        async with party(tmp_path / "a", limits=slow) as a:
            publish(a, file)
            async with party(tmp_path / "b", a) as b:
                await _knows(b, file.video)
                b.keep(file.video)
                await until(lambda: b.transfers.open(file.video).have_blocks > 60)
                had_bytes = b.transfers.open(file.video).have_blocks * BLOCK_BYTES
            async with party(tmp_path / "b", a) as b:
                await until(lambda: b.transfers.open(file.video).is_whole)
                await until(lambda: all(job.is_ended for job in b.activity.jobs()))
                assert b.traffic.down.total_bytes < SIZE - had_bytes + 100_000

    asyncio.run(run())


def test_what_its_channel_takes_back_is_dropped_unless_kept(tmp_path: Path) -> None:
    async def run() -> None:
        watched, kept = (make_file(tmp_path / f"{name}.mp4", 300_000) for name in "wk")
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            for file in (watched, kept):
                publish(a, file)
                await _knows(b, file.video)
                await read_all(b, file.video)
            job = b.keep(kept.video)
            await until(lambda: job.is_ended)
            for file in (watched, kept):
                b.transfers.stop(file.video)
                entry = Retraction(time.time_ns() // 1_000_000 + 1000, file.video)
                a.gossip.publish([sign_item(a.identity.key, entry)])
            await until(lambda: b.catalogue.entry(kept.video) is None)
            await until(lambda: b.store.get(watched.video) is None)
            assert b.store.get(kept.video) is not None

    asyncio.run(run())


def test_a_new_range_of_a_player_ends_its_old_one(tmp_path: Path) -> None:
    async def run() -> None:
        file = make_file(tmp_path / "film.mp4", SIZE)
        slow = LimitsConfig(up_bytes_per_s=1_000_000)
        async with party(tmp_path / "a", limits=slow) as a, party(tmp_path / "b", a) as b:
            publish(a, file)
            await _knows(b, file.video)
            reader = b.transfers.reader(file.video)
            old = reader.read(0, SIZE, session="vlc")
            got = [await anext(old)]
            new = b.transfers.reader(file.video).read(SIZE - 1000, 1000, session="vlc")
            got_new = b"".join([chunk async for chunk in new])
            assert got_new == file.path.read_bytes()[-1000:]
            got += [chunk async for chunk in old]  # it ends by itself, early
            assert len(b"".join(got)) < SIZE

    asyncio.run(run())
