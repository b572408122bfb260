"""Uploads: whole under a safe name and shared, or not there at all."""

import asyncio
import resource
import shutil
from collections import namedtuple
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from media_samples import sample
from shares_world import World, world

from headwater.errors import Conflict, LocalUsageError, NotFound, StorageFull, Unavailable
from headwater.node.activity import Job


async def body(payload: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for at in range(0, len(payload), size):
        yield payload[at : at + size]


async def upload(node: World, name: str, payload: bytes) -> Job:
    return await node.shares.receive_upload(name, body(payload), len(payload))


def kept(node: World) -> list[str]:
    return sorted(path.name for path in (node.config.state / "uploads").iterdir())


def test_an_upload_is_kept_as_a_file_and_shared(tmp_path: Path) -> None:
    payload = sample("mp4").read_bytes()

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            job = await upload(node, "My film.mp4", payload)
            await node.ended(job)
            assert (job.kind, job.phase, job.error) == ("upload", "done", "")
            stored = node.stored("My film")
            assert stored.path == tmp_path / "state/uploads/My film.mp4"
            assert stored.path.read_bytes() == payload
            assert node.entries()["My film"].plays == "direct"

    asyncio.run(run())


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            for payload in (b"one", b"two", b"three"):
                await node.ended(await upload(node, "notes.txt", payload))
            assert kept(node) == ["notes (2).txt", "notes (3).txt", "notes.txt"]
            assert len(node.entries()) == 3

    asyncio.run(run())


@pytest.mark.parametrize("name", ["../../escape.txt", "/etc/escape.txt", "a\\escape.txt"])
def test_a_name_cannot_lead_out(tmp_path: Path, name: str) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await node.ended(await upload(node, name, b"x"))
            assert kept(node) == ["escape.txt"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "payload", "total", "reason"),
    [
        ("..", b"x", 1, "no name"),
        ("notes.txt", b"", 0, "is empty"),
        ("notes.txt", b"half", 8, "cut off after 4 of 8 bytes"),
    ],
)
def test_what_is_refused_leaves_nothing(
    tmp_path: Path, name: str, payload: bytes, total: int, reason: str
) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            with pytest.raises(LocalUsageError, match=reason):
                await node.shares.receive_upload(name, body(payload), total)
            assert kept(node) == []
            (job,) = node.activity.jobs()
            assert job.phase == "failed"
            assert reason in job.error

    asyncio.run(run())


def test_an_upload_of_unknown_length(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            job = await node.shares.receive_upload("notes.txt", body(b"x" * 50_000), None)
            await node.ended(job)
            assert node.entries()["notes"].size_bytes == 50_000

    asyncio.run(run())


def test_a_sender_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError("gone")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            with pytest.raises(ConnectionResetError):
                await node.shares.receive_upload("notes.txt", broken(), 8)
            assert kept(node) == []
            assert node.activity.jobs()[0].phase == "failed"

    asyncio.run(run())


def test_an_upload_can_be_cancelled(tmp_path: Path) -> None:
    async def run() -> None:
        began = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"half"
            began.set()
            await asyncio.Event().wait()

        async with world(tmp_path / "state") as node, asyncio.TaskGroup() as group:
            task = group.create_task(_refused(node, endless()))
            await began.wait()
            (job,) = node.activity.jobs()
            assert job.done == 0
            node.activity.cancel(job.id)
            await task
            assert job.phase == "cancelled"
            assert kept(node) == []

    asyncio.run(run())


async def _refused(node: World, chunks: AsyncIterator[bytes]) -> None:
    with pytest.raises(Unavailable, match="cancelled"):
        await node.shares.receive_upload("notes.txt", chunks, 8)


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 10 MB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("full_disk")
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            with pytest.raises(StorageFull, match="make room"):
                await node.shares.receive_upload("film.mp4", body(bytes(20_000_000)), None)
            assert kept(node) == []
            assert "make room" in node.activity.jobs()[0].error

    asyncio.run(run())


def test_what_does_not_fit_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    free = 300 * 1024 * 1024
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, free))

    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("nothing of it should be read")
        yield b""

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            with pytest.raises(StorageFull, match="the upload takes 100 MB"):
                await node.shares.receive_upload("film.mp4", unread(), 100_000_000)
            assert kept(node) == []

    asyncio.run(run())


def test_an_upload_outlives_its_sharing_until_it_is_deleted(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await node.ended(await upload(node, "only copy.txt", b"the only one"))
            path = node.stored("only copy").path
            with pytest.raises(Conflict, match="still shared"):
                await node.shares.delete_upload(path)
            assert node.shares.unshare(path=path).uploads == [path]
            assert path.read_bytes() == b"the only one"
            await node.shares.delete_upload(path)
            assert kept(node) == []
            with pytest.raises(NotFound):
                await node.shares.delete_upload(path)

    asyncio.run(run())


def test_what_was_never_uploaded_is_neither_told_of_nor_deleted(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("mine")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await node.ended(node.shares.share(own)[0])
            assert node.shares.unshare(path=own).uploads == []
            link = tmp_path / "state/uploads/link.txt"
            link.symlink_to(own)
            database = tmp_path / "state/uploads/../catalogue.db"
            for path in (own, link, database, tmp_path / "state/uploads"):
                with pytest.raises(NotFound):
                    await node.shares.delete_upload(path)
            assert own.read_text() == "mine" and database.exists()

    asyncio.run(run())
