"""Copies that rest and go on: a pause holds, over a restart too, and nothing is fetched twice."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from parties import make_file, party, publish, until

from headwater.errors import Conflict, NotFound
from headwater.node.config import LimitsConfig
from headwater.node.node import Node
from headwater.node.settings import Changes
from headwater.wire.ids import VideoId

SIZE = 24 * 1024 * 1024
SLOW = LimitsConfig(down_bytes_per_s=3_000_000)


async def knows(node: Node, video: VideoId) -> None:
    await until(lambda: node.catalogue.entry(video) is not None)


def have(node: Node, video: VideoId) -> int:
    stored = node.store.get(video)
    return 0 if stored is None else stored.have_blocks


def test_a_paused_copy_rests_over_a_restart_and_goes_on_from_where_it_was(tmp_path: Path) -> None:
    async def run() -> None:
        film, other = make_file(tmp_path / "film.mp4", SIZE), make_file(tmp_path / "x.mp4", 10**6)
        folder = tmp_path / "out"
        folder.mkdir()
        async with party(tmp_path / "a") as a:
            publish(a, film)
            publish(a, other)
            async with party(tmp_path / "b", a, limits=SLOW) as b:
                await knows(b, film.video)
                job = b.get(film.video, folder)
                await until(lambda: have(b, film.video) > 20)
                b.activity.pause(job.id)
                assert job.phase == "paused" and 0 < job.done < job.total == SIZE
                b.activity.pause(job.id)  # it does already
                await b.change(Changes(down_bytes_per_s=0))
                await knows(b, other.video)
                second = b.keep(other.video)  # what was asked for before has come by its end
                await until(lambda: second.phase == "done")
                at_rest = have(b, film.video)
                assert at_rest * 16384 < SIZE
            sent = a.traffic.up.total_bytes

            async with party(tmp_path / "b", a) as b:
                (job,) = b.activity.jobs()
                assert (job.phase, job.title, job.total) == ("paused", "film", SIZE)
                assert job.done == at_rest * 16384 and have(b, film.video) == at_rest
                b.activity.resume(job.id)
                await until(lambda: job.is_ended)
                assert job.phase == "done" and not job.error
                assert (folder / "film.mp4").read_bytes() == film.path.read_bytes()
                assert a.traffic.up.total_bytes - sent < SIZE - at_rest * 16384 + 10**6

    asyncio.run(run())


def test_a_paused_copy_can_be_cancelled_and_asked_for_again(tmp_path: Path) -> None:
    async def run() -> None:
        film = make_file(tmp_path / "film.mp4", SIZE)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a, limits=SLOW) as b:
            publish(a, film)
            await knows(b, film.video)
            job = b.keep(film.video)
            assert b.keep(film.video) is job
            b.activity.pause(job.id)
            assert b.keep(film.video) is job and job.phase != "paused"
            b.activity.pause(job.id)
            b.activity.cancel(job.id)
            assert job.phase == "cancelled"
            with pytest.raises(NotFound):
                b.activity.resume(job.id)
            again = b.keep(film.video)
            b.activity.pause(again.id)
            b.forget(film.video)
            assert again.phase == "cancelled" and b.store.get(film.video) is None

    asyncio.run(run())


def test_a_copy_that_waits_for_its_turn_can_be_paused_and_gives_it_up(tmp_path: Path) -> None:
    async def run() -> None:
        films = [make_file(tmp_path / f"{n}.mp4", 3 * 10**6) for n in range(5)]
        slow = replace(SLOW, down_bytes_per_s=500_000)
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a, limits=slow) as b:
            for film in films:
                publish(a, film)
                await knows(b, film.video)
            jobs = [b.keep(film.video) for film in films]
            await until(lambda: [job.phase for job in jobs].count("fetching") >= 1)
            for job in jobs[:4]:
                b.activity.pause(job.id)
            await until(lambda: jobs[4].phase == "fetching")
            assert [job.phase for job in jobs[:4]] == ["paused"] * 4

    asyncio.run(run())


def test_what_is_no_copy_cannot_be_paused(tmp_path: Path) -> None:
    async def run() -> None:
        async with party(tmp_path / "a") as a:
            job = a.activity.start("share", "film.mp4")
            with pytest.raises(Conflict, match=r"film\.mp4"):
                a.activity.pause(job.id)
            a.activity.resume(job.id)
            with pytest.raises(NotFound):
                a.activity.pause("77")

    asyncio.run(run())
