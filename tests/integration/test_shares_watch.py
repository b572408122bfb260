"""Watched folders: what appears, changes, moves and goes is followed, but not everything shared."""

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from media_samples import sample
from shares_world import World, world

from headwater.errors import ContentChanged
from headwater.lab.samples import make_video
from headwater.node import shares_lookout, shares_watch, shares_work
from headwater.wire.ids import VideoId
from headwater.wire.items import Retraction


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or f"This is {path.name}")
    return path


async def shared_at_first(node: World, folder: Path) -> None:
    (job,) = node.shares.share(folder)
    await node.ended(job)
    assert (job.phase, job.error) == ("done", "")


def test_a_folder_is_shared_with_all_that_is_in_it(tmp_path: Path, folder: Path) -> None:
    for name in ("a.txt", "deep/er/b.txt", "Ünïcödé ビデオ.txt"):
        write(folder / name)

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            assert set(node.entries()) == {"a", "b", "Ünïcödé ビデオ"}
            assert node.shares.folders() == [folder]

    asyncio.run(run())


def test_what_appears_changes_and_goes_is_followed(tmp_path: Path, folder: Path) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            note = write(folder / "deep/note.txt", "first")
            await node.until(lambda: "note" in node.entries())
            before = node.entries()["note"].video
            note.write_text("second")
            await node.until(lambda: node.reads("note") == b"second")
            assert node.entries()["note"].video != before
            note.unlink()
            await node.until(lambda: node.entries() == {})
            await node.until(lambda: node.store.videos() == [])
            assert node.shared() == {}

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_renamed_file_stays_the_same_video(tmp_path: Path, folder: Path, kind: str) -> None:
    suffix = sample(kind).suffix
    shutil.copyfile(sample(kind), folder / f"old{suffix}")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            video = node.entries()["old"].video
            (folder / "sub").mkdir()
            (folder / f"old{suffix}").rename(folder / f"sub/new{suffix}")
            await node.until(lambda: list(node.entries()) == ["new"])
            assert node.entries()["new"].video == video
            assert node.entries()["new"].file_name == "new.mp4"
            assert node.stored("new").verified_read(0, 1)
            assert [item for item in node.told if isinstance(item.body, Retraction)] == []
            assert [job.kind for job in node.activity.jobs()] == ["share", "share"]  # of the start

    asyncio.run(run())


def test_a_viewer_does_not_notice_that_a_file_is_renamed(tmp_path: Path, folder: Path) -> None:
    write(folder / "old.txt", "never away")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            video = VideoId(node.entries()["old"].video)
            is_over, seen = threading.Event(), set()

            def view() -> None:
                while not is_over.is_set():
                    stored = node.store.get(video)
                    seen.add(stored.read(0, 1) if stored is not None else b"")

            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.to_thread(view))
                await node.until(lambda: bool(seen))
                (folder / "old.txt").rename(folder / "new.txt")
                await node.until(lambda: list(node.entries()) == ["new"])
                is_over.set()
            assert seen == {b"never away"}

    asyncio.run(run())


def test_a_file_that_was_away_for_a_moment_is_had_again(tmp_path: Path, folder: Path) -> None:
    write(folder / "film.txt", "back at once")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            (folder / "film.txt").rename(tmp_path / "aside.txt")
            assert node.reads("film") == b""
            (tmp_path / "aside.txt").rename(folder / "film.txt")
            await node.until(lambda: node.reads("film") == b"back at once")

    asyncio.run(run())


def test_subtitles_that_come_later_are_told_without_hashing_again(
    tmp_path: Path, folder: Path
) -> None:
    shutil.copyfile(sample("mp4"), folder / "film.mp4")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            before = node.entries()["film"]
            write(folder / "film.de.srt", "1\n00:00:00,500 --> 00:00:01,500\nGruß\n")
            await node.until(lambda: bool(node.entries()["film"].subtitles))
            assert node.entries()["film"].video == before.video
            assert node.entries()["film"].created_ms == before.created_ms
            (folder / "film.de.srt").unlink()
            await node.until(lambda: not node.entries()["film"].subtitles)
            assert list(node.entries()) == ["film"]

    asyncio.run(run())


def test_a_renamed_folder_stays_what_it_is(tmp_path: Path, folder: Path) -> None:
    write(folder / "old/a.txt")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            video = node.entries()["a"].video
            (folder / "old").rename(folder / "new")
            await node.until(lambda: node.path("a") == folder / "new/a.txt")
            assert node.entries()["a"].video == video

    asyncio.run(run())


def test_a_file_that_is_being_written_is_not_published_half(tmp_path: Path, folder: Path) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            with (folder / "big.txt").open("wb") as file:
                file.write(b"half")
                file.flush()
                write(folder / "other.txt")
                await node.until(lambda: "other" in node.entries())  # the first could have been
                assert "big" not in node.entries()
                file.write(b" and whole")
            await node.until(lambda: "big" in node.entries())
            assert node.stored("big").read(0, 1) == b"half and whole"
            assert [item.body for item in node.told if isinstance(item.body, Retraction)] == []

    asyncio.run(run())


def test_what_must_not_be_shared(tmp_path: Path, folder: Path) -> None:
    secret = write(tmp_path / "secret.txt")
    write(folder / "good.txt")
    write(folder / ".hidden.txt")
    write(folder / ".git/config")
    write(folder / "coming.mp4.part")
    (folder / "empty.mp4").touch()
    (folder / "leaves.txt").symlink_to(secret)
    (folder / "leaves too").symlink_to(tmp_path)
    (folder / "stays.txt").symlink_to(folder / "good.txt")
    (folder / "broken.txt").symlink_to(folder / "nothing.txt")
    os.mkfifo(folder / "pipe.mp4")
    (folder / "line\nbreak.txt").write_text("x")
    Path(os.fsdecode(os.fsencode(folder) + b"/not utf-8 \xff.txt")).write_text("x")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            assert list(node.entries()) == ["good"]
            problems = {name: shared.problem for name, shared in node.shared().items()}
            assert problems.pop("good.txt") == ""
            assert "empty" in problems.pop("empty.mp4")
            assert "outside" in problems.pop("leaves.txt")
            assert "outside" in problems.pop("leaves too")
            assert "rename it" in problems.pop("not utf-8 \ufffd.txt")
            assert "rename it" in problems.pop("line\nbreak.txt")
            assert problems == {}

    asyncio.run(run())


def test_the_nodes_own_state_inside_a_shared_folder_is_left_out(folder: Path) -> None:
    write(folder / "good.txt")

    async def run() -> None:
        async with world(folder / "state") as node:
            await shared_at_first(node, folder)
            assert list(node.entries()) == ["good"]
            write(folder / "later.txt")
            await node.until(lambda: "later" in node.entries())
            assert set(node.entries()) == {"good", "later"}

    asyncio.run(run())


def test_a_restart_hashes_nothing_again(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(sample("mp4"), folder / "film.mp4")
    shutil.copyfile(sample("mkv"), folder / "copy.mkv")
    alone = write(tmp_path / "alone.txt")

    async def first() -> dict[str, bytes]:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            await node.ended(node.shares.share(alone)[0])
            return {title: entry.video for title, entry in node.entries().items()}

    async def second(before: dict[str, bytes]) -> None:
        async with world(tmp_path / "state") as node:
            write(folder / "new.txt")
            await node.until(lambda: "new" in node.entries())
            after = {title: entry.video for title, entry in node.entries().items()}
            assert {title: after[title] for title in before} == before
            assert [job.title for job in node.activity.jobs()] == ["new.txt"]
            assert [item.body.title for item in node.told] == ["new"]  # type: ignore[union-attr]

    asyncio.run(second(asyncio.run(first())))


def test_what_an_older_version_noted_is_found_out_again(tmp_path: Path, folder: Path) -> None:
    single, damaged = write(tmp_path / "single.txt"), write(folder / "damaged.txt")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            (job,) = node.shares.share(single, title="My own")
            await node.ended(job)
        database = sqlite3.connect(tmp_path / "state" / "shares.db")
        rows = database.execute("SELECT path, record FROM files").fetchall()
        for path, raw in rows:
            record = msgspec.msgpack.decode(raw)
            record["entry"]["file_name"] = "../not any more"
            kept = msgspec.msgpack.encode(record) if path.endswith(b"single.txt") else b"\xc1"
            database.execute("UPDATE files SET record = ? WHERE path = ?", (kept, path))
        database.commit()
        database.close()
        async with world(tmp_path / "state") as node:
            await node.until(lambda: all(shared.video for shared in node.shared().values()))
            assert {*node.shared()} == {single.name, damaged.name}
            assert {*node.entries()} == {"My own", "damaged"}

    asyncio.run(run())


def test_what_changed_while_the_node_was_down_is_seen_at_start(
    tmp_path: Path, folder: Path
) -> None:
    for name in ("same", "changed", "deleted", "renamed"):
        write(folder / f"{name}.txt")
    alone = write(tmp_path / "alone.txt")

    async def first() -> bytes:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            await node.ended(node.shares.share(alone)[0])
            return node.entries()["renamed"].video

    async def second(renamed: bytes) -> None:
        async with world(tmp_path / "state") as node:
            await node.until(lambda: set(node.entries()) == {"same", "changed", "moved", "new"})
            assert node.entries()["moved"].video == renamed
            await node.until(lambda: node.reads("changed") == b"other words")
            assert "deleted or moved" in node.shared()["alone.txt"].problem

    video = asyncio.run(first())
    write(folder / "changed.txt", "other words")
    (folder / "deleted.txt").unlink()
    (folder / "renamed.txt").rename(folder / "moved.txt")
    write(folder / "new.txt")
    alone.unlink()
    asyncio.run(second(video))


def test_a_drive_that_is_pulled_out_and_put_back(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares_lookout, "RESCAN_S", 0.3)
    write(folder / "a.txt")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            video = node.entries()["a"].video
            os.rename(folder, tmp_path / "gone")
            await node.until(lambda: node.entries() == {})
            assert "cannot be reached" in node.shared()["a.txt"].problem
            os.rename(tmp_path / "gone", folder)
            await node.until(lambda: "a" in node.entries())
            assert node.entries()["a"].video == video
            assert len(node.activity.jobs()) == 2  # nothing was hashed again

    asyncio.run(run())


def test_a_changed_file_never_gives_a_wrong_byte(tmp_path: Path) -> None:
    alone = write(tmp_path / "alone.txt", "x" * 100_000)

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await node.ended(node.shares.share(alone)[0])
            stored = node.stored("alone")
            alone.write_text("y" * 100_000)
            with pytest.raises(ContentChanged, match="was changed after it was shared"):
                stored.read(0, 1)
            await node.until(lambda: node.reads("alone") == b"y" * 16384)
            assert node.entries()["alone"].video != stored.video

    asyncio.run(run())


def test_a_single_file_that_is_deleted_tells_so_and_comes_back(tmp_path: Path) -> None:
    alone = write(tmp_path / "alone.txt", "words")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await node.ended(node.shares.share(alone)[0])
            alone.unlink()
            await node.until(lambda: node.entries() == {})
            assert "deleted or moved" in node.shared()["alone.txt"].problem
            assert node.shared()["alone.txt"].video is None
            write(alone, "words")
            await node.until(lambda: "alone" in node.entries())
            assert node.shared()["alone.txt"].problem == ""

    asyncio.run(run())


def test_unsharing_a_folder_takes_all_of_it_back(tmp_path: Path, folder: Path) -> None:
    for name in ("a.txt", "deep/b.txt", "kept.txt"):
        write(folder / name)

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            await node.ended(node.shares.share(folder / "kept.txt")[0])
            assert len(node.shares.unshare(path=folder).videos) == 2
            assert list(node.entries()) == ["kept"]
            assert node.shares.folders() == []
            write(folder / "later.txt")
            (folder / "kept.txt").write_text("changed")
            await node.until(lambda: node.reads("kept") == b"changed")
            assert list(node.entries()) == ["kept"]

    asyncio.run(run())


def test_a_file_taken_out_of_a_folder_stays_out(tmp_path: Path, folder: Path) -> None:
    for name in ("a.txt", "b.txt"):
        write(folder / name)

    async def first() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            node.shares.unshare(path=folder / "a.txt")
            (folder / "a.txt").write_text("changed")
            write(folder / "c.txt")
            await node.until(lambda: "c" in node.entries())
            assert set(node.entries()) == {"b", "c"}

    async def second() -> None:
        async with world(tmp_path / "state") as node:
            write(folder / "d.txt")
            await node.until(lambda: "d" in node.entries())
            assert set(node.entries()) == {"b", "c", "d"}
            await node.ended(node.shares.share(folder / "a.txt")[0])
            assert "a" in node.entries()

    asyncio.run(first())
    asyncio.run(second())


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_goes_on(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "good.txt")
    write(folder / "locked/a.txt")
    write(folder / "locked.txt")
    refuse(monkeypatch, folder / "locked", folder / "locked.txt")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            (job,) = node.shares.share(folder)
            await node.ended(job)
            assert "1 file could not be shared" in job.error
            assert list(node.entries()) == ["good"]
            assert "Permission denied" in node.shared()["locked"].problem
            assert "Permission denied" in node.shared()["locked.txt"].problem

    asyncio.run(run())


def refuse(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    """Tests may run as root, who may read everything."""
    really_open, really_scan = os.open, os.scandir

    def pretend_open(path: os.PathLike[str] | str, *args: int, **kwargs: int) -> int:
        if path in paths:
            raise PermissionError(13, "Permission denied")
        return really_open(path, *args, **kwargs)

    def pretend_scan(path: Path) -> object:
        if path in paths:
            raise PermissionError(13, "Permission denied")
        return really_scan(path)

    monkeypatch.setattr(os, "open", pretend_open)
    monkeypatch.setattr(os, "scandir", pretend_scan)


def test_a_folder_on_the_command_line_that_is_not_there(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path / "state", folders=(tmp_path / "nowhere",)) as node:
            await node.until(lambda: bool(node.shared()))
            assert "No such file" in node.shared()["nowhere"].problem

    asyncio.run(run())


def test_a_long_job_is_done_once(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares_lookout, "RESCAN_S", 0.1)
    monkeypatch.setattr(shares_lookout, "RESCAN_SHARE", 1)
    make_video(folder / "film.avi", 8, video="mpeg4", size=(320, 180), repeats=5)

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            write(folder / "later.txt")
            await node.until(lambda: "later" in node.entries())
            titles = [job.title for job in node.activity.jobs()]
            assert titles == ["videos", "film.avi", "later.txt"]

    asyncio.run(run())


@pytest.mark.parametrize("reason", [OSError(28, "no watches left"), None])
def test_where_the_system_tells_nothing_changes_are_found_all_the_same(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, reason: OSError | None
) -> None:
    async def no_events(*_: object, **__: object) -> AsyncIterator[set[object]]:
        if reason is not None:
            raise reason
        return
        yield set()

    monkeypatch.setattr(shares_watch, "awatch", no_events)

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            await shared_at_first(node, folder)
            write(folder / "later.txt")
            await node.until(lambda: "later" in node.entries())

    asyncio.run(run())


def test_twenty_thousand_files_keep_nobody_waiting(tmp_path: Path, folder: Path) -> None:
    for number in range(20_000):
        if number % 1000 == 0:
            (folder / f"{number}").mkdir()
        (folder / f"{number // 1000 * 1000}/{number}.txt").write_bytes(b"%d" % number)
    alone = write(tmp_path / "alone.txt")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            (job,) = node.shares.share(folder)
            await node.until(lambda: len(node.entries()) >= 20)
            assert job.total == sum(len(str(number)) for number in range(20_000))
            assert 0 < job.done < job.total
            await node.ended(node.shares.share(alone)[0])  # before all the others
            assert not job.is_ended
            assert "alone" in {item.body.title for item in node.told}  # type: ignore[union-attr]
            node.activity.cancel(job.id)
            assert node.shares.folders() == []
            assert list(node.entries()) == ["alone"]

    asyncio.run(run())


def test_what_waits_is_bounded(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares_work, "MAX_QUEUED", 5)
    monkeypatch.setattr(shares_lookout, "MAX_ROUND", 3)
    for number in range(30):
        write(folder / f"{number}.txt")

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            (job,) = node.shares.share(folder)
            queued: list[int] = []

            def all_shared() -> bool:
                queued.append(node.shares._work._to_read.qsize())
                return job.is_ended

            await node.until(all_shared)
            assert max(queued) <= 5 + 3
            assert len(node.entries()) == 30

    asyncio.run(run())
