"""Jobs and events, and how many of them are remembered."""

import asyncio
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import NotFound
from headwater.node.activity import MAX_ENDED_JOBS, Activity
from headwater.node.events import MAX_QUEUED, Event, Events
from headwater.node.posters import MAX_WAITING, Posters
from headwater.transfer.transfers import Transfers
from headwater.wire.ids import VideoId
from headwater.wire.items import Item, VideoEntry, sign_item

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_ended_jobs_are_forgotten_past_the_bound_and_running_ones_never() -> None:
    activity = Activity(Events(), _Clock())
    running = activity.start("get", "film")
    for number in range(MAX_ENDED_JOBS + 5):
        activity.end(activity.start("share", str(number)), "done")
    activity.start("share", "last")
    jobs = activity.jobs()
    assert running in jobs
    assert sum(job.is_ended for job in jobs) == MAX_ENDED_JOBS


def test_a_rate_is_what_was_done_in_the_time_it_took() -> None:
    clock = _Clock()
    activity = Activity(Events(), clock)
    job = activity.start("get", "film")
    for step in range(20):
        activity.progress(job, "fetching", step * 500_000, 10_000_000)
        clock.now += 0.5
    assert job.rate == pytest.approx(1_000_000)
    activity.end(job, "done")
    assert job.rate == 0.0 and job.is_ended


def test_only_what_runs_can_be_cancelled() -> None:
    activity = Activity(Events(), _Clock())
    cancelled: list[str] = []
    job = activity.start("get", "film", lambda: cancelled.append("film"))
    activity.cancel(job.id)
    assert cancelled == ["film"]
    activity.end(job, "cancelled")
    for job_id in (job.id, "no such job"):
        with pytest.raises(NotFound):
            activity.cancel(job_id)


def test_a_slow_listener_is_told_to_read_everything_anew() -> None:
    async def run() -> None:
        events = Events()
        async with events.listen() as queue:
            for number in range(MAX_QUEUED):
                events.publish(Event("job", str(number)))
            assert queue.qsize() == MAX_QUEUED
            events.publish(Event("job", "one too many"))
            assert queue.get_nowait() == Event("resync")
            assert queue.empty()
        events.publish(Event("job"))  # nobody listens any more
        assert queue.empty()

    asyncio.run(run())


class _Transfers:
    """Has every blob; notes which were asked for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.all_asked = asyncio.Event()

    async def blob(self, sha256: bytes, hint: VideoId | None = None) -> bytes:
        self.asked.append(sha256)
        if len(self.asked) == MAX_WAITING:
            self.all_asked.set()
        return b""


def _entry(number: int) -> Item:
    video = number.to_bytes(32, "big")
    entry = VideoEntry(1, video, video, 16384, 1, "t", "t.mp4", "video/mp4", poster=video)
    return sign_item(KEY, entry)


def test_of_many_posters_the_newest_are_fetched() -> None:
    async def run() -> None:
        transfers = _Transfers()
        posters = Posters(cast(Transfers, transfers), quiet_s=0.0)
        posters.heard(_entry(number) for number in range(MAX_WAITING + 1))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(posters.run())
            await transfers.all_asked.wait()
            task.cancel()
        assert sorted(transfers.asked)[0] == (1).to_bytes(32, "big")

    asyncio.run(run())
