"""What a nursery starts is a process of its own like any other, and none outlives who made it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from headwater.errors import Unavailable
from headwater.lab import nursery as nurseries
from headwater.lab.nursery import MOST_REQUEST_BYTES, Newborn, Nursery

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is none"),
]

PROGRAM = """
import os, sys
def main():
    print("an error", file=sys.stderr)
    print(sys.argv[1:], dict(os.environ), os.getcwd(), os.getpgid(0) == os.getpid(), flush=True)
    sys.stdin.read()
    return 7
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: what is run lies there, and `errors`."""
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def home(folder: Path) -> Iterator[Nursery]:
    with nurseries.nursery(modules=()) as nursery:
        assert nursery is not None
        yield nursery


def start(home: Nursery, module: str = "program") -> Newborn:
    with Path("errors").open("wb") as errors:
        return home.start(module, ["a", "b c"], {"WHO": "anna"}, errors.fileno())


def ended(process: Newborn) -> tuple[bytes, int]:
    """What it says until its end, and its exit code."""
    assert process.stdin is not None and process.stdout is not None
    with process.stdin, process.stdout as said:
        process.stdin.close()
        return said.read(), process.wait()


def test_it_runs_what_it_is_told_as_it_is_told_and_its_end_is_known(
    home: Nursery, folder: Path
) -> None:
    (elsewhere := folder / "elsewhere").mkdir()
    os.chdir(elsewhere)  # the nursery was started before
    process = start(home)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)
    said, code = ended(process)
    assert said.decode() == f"['a', 'b c'] {{'WHO': 'anna'}} {elsewhere} True\n"
    assert (elsewhere / "errors").read_bytes() == b"an error\n"
    assert code == process.wait() == process.poll() == 7


def test_what_it_runs_may_be_killed_and_the_others_go_on(home: Nursery) -> None:
    one, other = start(home), start(home)
    one.send_signal(signal.SIGKILL)
    assert one.wait() == -signal.SIGKILL
    one.send_signal(signal.SIGKILL)  # of one that has ended: nothing
    ended(one)
    assert other.poll() is None
    assert ended(other)[1] == 7


def test_all_who_wait_for_an_end_hear_of_it(home: Nursery) -> None:
    process = start(home)
    with ThreadPoolExecutor(8) as threads:
        waits = [threads.submit(process.wait) for _ in range(8)]
        ended(process)
    assert [wait.result() for wait in waits] == [7] * 8


def test_what_cannot_be_run_says_why_and_the_next_one_runs(home: Nursery, folder: Path) -> None:
    process = start(home, "no_such_module")
    assert ended(process) == (b"", 1)
    assert b"no_such_module" in (folder / "errors").read_bytes()
    assert ended(start(home))[1] == 7


@pytest.mark.parametrize("excess", [0, 1])
def test_a_command_line_that_is_too_long_is_refused(home: Nursery, excess: int) -> None:
    bare = len(f'["program", ["a", "b c"], {{"WHO": "anna", "X": ""}}, "{Path.cwd()}"]')
    environment = {"WHO": "anna", "X": "x" * (MOST_REQUEST_BYTES - bare + excess)}
    with Path("errors").open("wb") as errors:
        if excess:
            with pytest.raises(Unavailable, match="command line"):
                home.start("program", ["a", "b c"], environment, errors.fileno())
        else:
            assert ended(home.start("program", ["a", "b c"], environment, errors.fileno()))[1] == 7


def test_as_many_processes_as_there_may_be_end_a_start_and_not_the_nursery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fork() -> int:
        raise BlockingIOError("as with a limit that root does not have")

    monkeypatch.setattr(os, "fork", fork)
    requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ThreadPoolExecutor(1) as thread, theirs:
        attended = thread.submit(nurseries._attend, theirs)
        for _ in range(2):
            told, end = os.pipe()
            socket.send_fds(requests, [b"{}"], [end])
            os.close(end)
            assert os.read(told, 4) == b""
            os.close(told)
        requests.close()
        assert attended.result() is None


def test_without_its_nursery_it_counts_as_killed_and_nothing_more_is_started(home: Nursery) -> None:
    process = start(home)
    psutil.Process(home.pid).kill()
    assert process.wait() == -signal.SIGKILL
    with pytest.raises(Unavailable, match="gone"):
        start(home)
    ended(process)


def test_it_ends_with_the_block_and_leaves_what_it_started(folder: Path) -> None:
    with nurseries.nursery(modules=()) as home:
        assert home is not None
        process = start(home)
        forks, left = psutil.Process(home.pid), psutil.Process(process.pid)
    assert not forks.is_running()
    assert left.is_running()
    ended(process)
    psutil.wait_procs([left], timeout=20)


def test_no_fork_holds_what_belongs_to_another(home: Nursery) -> None:
    """Else a node would not see that its standard input was closed."""
    one, other = start(home), start(home)
    assert one.stdin is not None
    one.stdin.close()
    assert one.wait() == 7
    assert len(os.listdir(f"/proc/{other.pid}/fd")) == 3
    ended(other)
    assert one.stdout is not None
    one.stdout.close()
