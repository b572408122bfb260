"""What happens to a worker stays in the worker: crashes, hangs, noise, bugs."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import media_jobs
import psutil
import pytest
import uvloop

from headwater.errors import MediaError, StorageFull
from headwater.media.worker import in_process


@pytest.fixture(autouse=True)
def _importable_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))


def test_arguments_and_result_travel_as_they_are() -> None:
    odd = Path(os.fsdecode(b"/videos/not utf-8 \xff.mp4"))
    result = asyncio.run(in_process(media_jobs.echo, odd, 2**40, ("a", "ü")))
    assert result == (odd, 2**40, "a ü")


def test_it_runs_under_uvloop_as_well() -> None:
    assert uvloop.run(in_process(media_jobs.print_much)) == 7


def test_noise_on_stdout_is_no_message() -> None:
    assert asyncio.run(in_process(media_jobs.print_much)) == 7


def test_a_large_result_comes_whole() -> None:
    assert asyncio.run(in_process(media_jobs.large, 20_000_000)) == bytes(20_000_000)


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    asyncio.run(in_process(media_jobs.count, 3, progress=lambda *at: told.append(at)))
    assert told[0] == (0, 3)
    assert told == sorted(told)


def test_work_leaves_the_processor_to_others() -> None:
    assert asyncio.run(in_process(media_jobs.niceness)) == min(19, os.nice(0) + 10)


def test_a_crash_is_an_error_that_names_the_file() -> None:
    with pytest.raises(MediaError, match=r"reading bad\.mp4 crashed"):
        asyncio.run(in_process(media_jobs.crash, Path("/videos/bad.mp4")))


def test_our_own_errors_come_as_they_were_raised() -> None:
    with pytest.raises(StorageFull, match="make room"):
        asyncio.run(in_process(media_jobs.fail_on_purpose))


def test_a_bug_is_told_as_what_it_is() -> None:
    with pytest.raises(MediaError, match=r"bad\.mp4 cannot be read: a bug \(ZeroDivisionError\)"):
        asyncio.run(in_process(media_jobs.fail_by_bug, Path("/videos/bad.mp4")))


def test_a_worker_that_hangs_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="got nowhere"):
        asyncio.run(in_process(media_jobs.hang, tmp_path / "pid", max_silence_s=1.5))


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe: whoever reads it waits until the worker says that it runs."""
    os.mkfifo(tmp_path / "pid")
    return tmp_path / "pid"


def test_cancelling_kills_it_and_leaves_no_zombie(pipe: Path) -> None:
    async def cancel() -> int:
        async with asyncio.timeout(15), asyncio.TaskGroup() as group:
            task = group.create_task(in_process(media_jobs.hang, pipe))
            pid = int(await asyncio.to_thread(pipe.read_text))
            task.cancel()
        assert task.cancelled()
        return pid

    assert not psutil.pid_exists(asyncio.run(cancel()))


def test_a_failing_listener_ends_the_worker() -> None:
    def full(done: int, total: int) -> None:
        raise StorageFull("no room")

    with pytest.raises(StorageFull):
        asyncio.run(in_process(media_jobs.count, 1000, progress=full))


def test_it_dies_with_a_parent_that_is_killed(pipe: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("media_parent.py")), str(pipe)]
    )
    worker = psutil.Process(int(pipe.read_text()))
    parent.kill()
    parent.wait()
    psutil.wait_procs([worker], timeout=10)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
