"""kill -9 at any moment of a share or an upload: nothing half stays, nothing is hashed twice."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from media_samples import sample
from shares_world import world

from headwater.lab.samples import make_video
from headwater.media import jobs


def killed(state: Path, file: Path, how: str, place: str) -> None:
    """Runs a node until it comes to that place, then kills it."""
    script = str(Path(__file__).with_name("shares_child.py"))
    child = subprocess.Popen(
        [sys.executable, script, str(state), str(file), how, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        assert child.stdout.readline() == b"here\n"
        child.kill()
        child.wait()


def left_over(state: Path) -> list[str]:
    return [path.name for folder in ("tmp", "uploads") for path in (state / folder).iterdir()]


async def after(state: Path, title: str) -> None:
    async with world(state) as node:
        await node.until(lambda: title in node.entries())
        stored = node.stored(title)
        assert stored.is_whole
        assert stored.verified_read(0, stored.shape.blocks)
        assert node.store.videos() == [stored.video]
        assert list((state / "tmp").iterdir()) == []


@pytest.mark.parametrize("place", ["preparing", "hashed", "stored", "done"])
def test_a_share_that_is_killed_is_done_at_the_next_start(tmp_path: Path, place: str) -> None:
    film = make_video(tmp_path / "film.avi", 8, video="mpeg4", size=(320, 180), repeats=5)
    killed(tmp_path / "state", film, "share", place)
    asyncio.run(after(tmp_path / "state", "film"))


@pytest.mark.parametrize("place", ["stored", "done"])
@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_what_was_stored_is_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, place: str
) -> None:
    killed(tmp_path / "state", sample(kind), "share", place)
    monkeypatch.setattr(jobs, "create_torrent", None)
    monkeypatch.setattr(jobs, "prepare_copy", None)
    asyncio.run(after(tmp_path / "state", "film"))


@pytest.mark.parametrize("place", ["receiving", "received"])
def test_an_upload_that_is_cut_off_leaves_nothing(tmp_path: Path, place: str) -> None:
    state = tmp_path / "state"
    killed(state, sample("mp4"), "upload", place)
    assert len(left_over(state)) == 1

    async def run() -> None:
        async with world(state) as node:
            assert left_over(state) == []
            assert node.shared() == {}

    asyncio.run(run())


@pytest.mark.parametrize("place", ["hashed", "stored", "done"])
def test_an_upload_that_was_received_is_shared_at_the_next_start(
    tmp_path: Path, place: str
) -> None:
    killed(tmp_path / "state", sample("mp4"), "upload", place)
    assert left_over(tmp_path / "state") == ["film.mp4"]
    asyncio.run(after(tmp_path / "state", "film"))
