"""Files become entries: in place where browsers can play them, as a prepared copy where not."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from media_samples import sample
from shares_world import world

from headwater.errors import LocalUsageError, NotFound
from headwater.lab.samples import make_video
from headwater.store.torrent import Torrent
from headwater.wire.ids import VideoId
from headwater.wire.items import Retraction, VideoEntry


def copy_of(kind: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(sample(kind), target))


def test_a_video_that_browsers_play_is_shared_where_it_lies(tmp_path: Path) -> None:
    async def run() -> None:
        film = copy_of("mp4", tmp_path / "Summer_2026.mp4")
        before = film.stat()
        async with world(tmp_path / "state") as node:
            (job,) = node.shares.share(film)
            await node.ended(job)
            assert (job.phase, job.error) == ("done", "")
            entry = node.entries()["Summer 2026"]
            assert job.video == entry.video.hex()
            assert (entry.plays, entry.media_type) == ("direct", "video/mp4")
            assert (entry.width, entry.height, entry.codecs) == (320, 180, ("h264", "aac"))
            assert (entry.size_bytes, entry.file_name) == (before.st_size, "Summer_2026.mp4")
            assert node.store.get_blob(entry.poster)
            stored = node.stored("Summer 2026")
            assert (stored.path, stored.owned, stored.is_whole) == (film, False, True)
            assert stored.read(0, 1) == film.read_bytes()[: 16 * 1024]
            _check_torrent(entry, stored.torrent)
        assert film.stat().st_mtime_ns == before.st_mtime_ns

    asyncio.run(run())


def _check_torrent(entry: VideoEntry, torrent: Torrent | None) -> None:
    assert torrent is not None
    assert (entry.video, entry.infohash_v1) == (torrent.video, torrent.infohash_v1)
    assert entry.pieces_root == torrent.pieces_root
    assert entry.piece_bytes == torrent.shape.piece_bytes


@pytest.mark.parametrize("kind", ["index at end", "mkv", "hevc"])
def test_what_browsers_cannot_play_gets_a_copy(tmp_path: Path, kind: str) -> None:
    async def run() -> None:
        film = copy_of(kind, tmp_path / f"film{sample(kind).suffix}")
        raw = film.read_bytes()
        async with world(tmp_path / "state") as node:
            job = await node.ended(node.shares.share(film)[0])
            assert (job.phase, job.error) == ("done", "")
            entry, stored = node.entries()["film"], node.stored("film")
            assert (entry.plays, entry.media_type) == ("direct", "video/mp4")
            assert entry.file_name == "film.mp4"
            assert (stored.owned, stored.source, stored.is_whole) == (True, film, True)
        assert film.read_bytes() == raw
        assert list((tmp_path / "state/tmp").iterdir()) == []

    asyncio.run(run())


def test_a_person_may_refuse_the_copy(tmp_path: Path) -> None:
    async def run() -> None:
        film = copy_of("mkv", tmp_path / "film.mkv")
        async with world(tmp_path / "state") as node:
            await node.ended(node.shares.share(film, prepare=False, title="My film")[0])
            entry = node.entries()["My film"]
            assert (entry.plays, entry.media_type) == ("remux", "video/x-matroska")
            assert not node.stored("My film").owned

    asyncio.run(run())


def test_any_other_file_is_shared_as_it_is(tmp_path: Path) -> None:
    async def run() -> None:
        (tmp_path / "notes.txt").write_text("Dear all")
        async with world(tmp_path / "state") as node:
            await node.ended(node.shares.share(tmp_path / "notes.txt")[0])
            entry = node.entries()["notes"]
            assert (entry.plays, entry.media_type) == ("no", "application/octet-stream")
            assert node.shared()["notes.txt"].problem == ""

    asyncio.run(run())


def test_subtitles_beside_a_video_belong_to_it(tmp_path: Path) -> None:
    async def run() -> None:
        copy_of("mp4", tmp_path / "videos/film.mp4")
        (tmp_path / "videos/film.de.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\nGruß\n")
        async with world(tmp_path / "state") as node:
            await node.ended(node.shares.share(tmp_path / "videos")[0])
            (track,) = node.entries()["film"].subtitles
            assert track.language == "de"
            blob = node.store.get_blob(track.blob)
            assert blob is not None
            assert blob.startswith(b"WEBVTT")
            assert list(node.entries()) == ["film"]

    asyncio.run(run())


def test_a_broken_video_is_shared_as_a_plain_file_and_that_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        broken = tmp_path / "film.mp4"
        broken.write_bytes(sample("index at end").read_bytes()[:20_000])
        async with world(tmp_path / "state") as node:
            await node.ended(node.shares.share(broken)[0])
            assert node.entries()["film"].plays == "no"
            assert "not as a video" in node.shared()["film.mp4"].problem

    asyncio.run(run())


def test_a_recording_that_cannot_be_prepared_is_shared_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        film = tmp_path / "film.mp4"
        raw = bytearray(sample("hevc").read_bytes())
        begin = raw.index(b"mdat") + 12_000
        raw[begin:] = os.urandom(len(raw) - begin)
        film.write_bytes(raw)
        async with world(tmp_path / "state") as node:
            job = await node.ended(node.shares.share(film)[0])
            assert job.phase == "done"
            assert "film" in node.entries()

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/", "/proc", "/dev", "state", "state/catalogue.db"])
def test_what_is_never_shared(tmp_path: Path, path: str) -> None:
    async def run() -> None:
        async with world(tmp_path / "state") as node:
            with pytest.raises(LocalUsageError):
                node.shares.share(tmp_path / path)

    asyncio.run(run())


def test_what_cannot_be_shared_is_refused_with_the_reason(tmp_path: Path) -> None:
    async def run() -> None:
        (tmp_path / "empty.mp4").touch()
        os.mkfifo(tmp_path / "pipe.mp4")
        async with world(tmp_path / "state") as node:
            with pytest.raises(LocalUsageError, match=r"empty\.mp4.*is empty"):
                node.shares.share(tmp_path / "empty.mp4")
            with pytest.raises(LocalUsageError, match="no regular file"):
                node.shares.share(tmp_path / "pipe.mp4")
            with pytest.raises(NotFound, match="No such file"):
                node.shares.share(tmp_path / "missing.mp4")

    asyncio.run(run())


def test_unsharing_retracts_and_leaves_the_file(tmp_path: Path) -> None:
    async def run() -> None:
        film = copy_of("mp4", tmp_path / "film.mp4")
        async with world(tmp_path / "state") as node:
            await node.ended(node.shares.share(film)[0])
            video = VideoId(node.entries()["film"].video)
            assert node.shares.unshare(path=film).videos == [video]
            assert isinstance(node.told[-1].body, Retraction)
            assert node.entries() == {}
            await node.until(lambda: node.store.get(video) is None)
            with pytest.raises(NotFound):
                node.shares.unshare(path=film)
            await node.ended(node.shares.share(film)[0])
            assert list(node.entries()) == ["film"]
        assert film.exists()

    asyncio.run(run())


def test_unsharing_by_video_takes_a_prepared_copy_away(tmp_path: Path) -> None:
    async def run() -> None:
        film = copy_of("mkv", tmp_path / "film.mkv")
        async with world(tmp_path / "state") as node:
            await node.ended(node.shares.share(film)[0])
            stored = node.stored("film")
            assert node.shares.unshare(video=stored.video).videos == [stored.video]
            await node.until(lambda: not stored.path.exists())
        assert film.exists()

    asyncio.run(run())


def test_two_files_of_the_same_bytes_are_one_video(tmp_path: Path) -> None:
    async def run() -> None:
        first = copy_of("mp4", tmp_path / "one/film.mp4")
        second = copy_of("mp4", tmp_path / "two/film.mp4")
        async with world(tmp_path / "state") as node:
            for path in (first, second):
                await node.ended(node.shares.share(path)[0])
            assert len(node.entries()) == 1
            assert node.shares.unshare(path=second).videos == []
            await node.until(lambda: node.path("film") == first)
            assert node.stored("film").read(0, 1)
            assert [item for item in node.told if isinstance(item.body, Retraction)] == []

    asyncio.run(run())


def test_a_job_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.avi", 8, video="mpeg4", size=(640, 360), repeats=10)

    async def run() -> None:
        async with world(tmp_path / "state") as node:
            (job,) = node.shares.share(film)
            await node.until(lambda: job.phase == "preparing" and job.done > 0)
            assert list((tmp_path / "state/tmp").iterdir())
            node.activity.cancel(job.id)
            await node.ended(job)
            assert job.phase == "cancelled"
            assert list((tmp_path / "state/tmp").iterdir()) == []
            assert node.store.videos() == []
            assert "cancelled" in node.shared()[film.name].problem

    asyncio.run(run())
