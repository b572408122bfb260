"""What found the disk full is shared as soon as there is room, and nothing is taken back for it."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from media_samples import sample
from shares_world import World, world

import headwater.node.shares_lookout as lookout
from headwater.errors import LocalUsageError, StorageFull
from headwater.node.shares_work import MORE_ROOM_BYTES
from headwater.store.manifest import Stamp
from headwater.store.store import Store
from headwater.wire.items import Item, VideoEntry

FEW = 1000
"""Bytes free on a disk that is full."""


class Disk:
    """What the state folder lies on: the store takes nothing while it is full."""

    def __init__(self) -> None:
        self.free = 10**10
        self.refused = 0

    def usage(self, _: Path) -> SimpleNamespace:
        return SimpleNamespace(free=self.free)

    def adopt(self, store: Store, *given: Any, **named: Any) -> Any:
        self.check()
        return ADOPT(store, *given, **named)

    def put_blob(self, store: Store, *given: Any, **named: Any) -> Any:
        self.check()
        return PUT_BLOB(store, *given, **named)

    def check(self) -> None:
        if self.free < FEW + MORE_ROOM_BYTES:
            self.refused += 1
            raise StorageFull("the disk is full: make room")


ADOPT, PUT_BLOB = Store.adopt, Store.put_blob


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(shutil, "disk_usage", made.usage)
    monkeypatch.setattr(Store, "adopt", lambda *a, **b: made.adopt(*a, **b))
    monkeypatch.setattr(Store, "put_blob", lambda *a, **b: made.put_blob(*a, **b))
    monkeypatch.setattr(lookout, "RESCAN_S", 0.1)
    monkeypatch.setattr(lookout, "RESCAN_SHARE", 0)  # however busy the machine is
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    shutil.copyfile(sample("mp4"), tmp_path / "films" / "film.mp4")
    return tmp_path / "films"


async def settled_again(node: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until looks through the folder have found three times more that it is to be shared."""
    asked: list[Path] = []
    add = node.shares._work.add

    def noted(path: Path, stamp: Stamp) -> None:
        asked.append(path)
        add(path, stamp)

    monkeypatch.setattr(node.shares._work, "add", noted)
    await node.until(lambda: len(asked) >= 3)


def test_a_file_of_a_folder_is_shared_when_there_is_room(
    tmp_path: Path, folder: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            disk.free = FEW
            (job,) = node.shares.share(folder)
            await node.ended(job)
            assert "could not be shared" in job.error
            assert "make room" in node.shared()["film.mp4"].problem
            disk.free = FEW + MORE_ROOM_BYTES - 1
            await settled_again(node, monkeypatch)
            assert disk.refused == 1
            disk.free += 1
            await node.until(lambda: "film" in node.entries())
            assert node.shared()["film.mp4"].problem == ""

    asyncio.run(run())


def test_a_single_file_is_shared_when_there_is_room_also_after_a_restart(
    tmp_path: Path, folder: Path, disk: Disk
) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            disk.free = FEW
            (job,) = node.shares.share(folder / "film.mp4")
            await node.ended(job)
            assert (job.phase, job.code) == ("failed", "storage_full")
        disk.free = 10**10
        async with world(tmp_path / "state") as node:
            await node.until(lambda: "film" in node.entries())

    asyncio.run(run())


def test_who_asks_again_is_answered_at_once(tmp_path: Path, folder: Path, disk: Disk) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            disk.free = FEW
            for asked in (folder, folder, folder / "film.mp4", folder / "film.mp4"):
                (job,) = node.shares.share(asked)
                await node.ended(job)
                assert job.error
            assert disk.refused == 4

    asyncio.run(run())


def test_what_is_shared_stays_so_when_something_beside_it_finds_no_room(
    tmp_path: Path, folder: Path, disk: Disk
) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            (job,) = node.shares.share(folder)
            await node.ended(job)
            disk.free = FEW
            (folder / "film.en.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
            await node.until(lambda: "make room" in node.shared()["film.mp4"].problem)
            assert not node.entries()["film"].subtitles
            assert node.shared()["film.mp4"].video is not None
            disk.free = 10**10
            await node.until(lambda: bool(node.entries()["film"].subtitles))
            assert node.shared()["film.mp4"].problem == ""

    asyncio.run(run())


def test_what_nobody_would_take_is_told_and_costs_nothing_else(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            publish = node.shares._files._publish

            def refuse(items: Sequence[Item]) -> None:
                if isinstance(items[0].body, VideoEntry):
                    raise LocalUsageError("it was not published: too many")

            monkeypatch.setattr(node.shares._files, "_publish", refuse)
            (job,) = node.shares.share(folder)
            await node.ended(job)
            assert "too many" in node.shared()["film.mp4"].problem
            monkeypatch.setattr(node.shares._files, "_publish", publish)
            shutil.copyfile(sample("mkv"), folder / "other.mkv")
            await node.until(lambda: "other" in node.entries())

    asyncio.run(run())
