"""What every test is held to: it leaves no process and no task behind; and the browser for some."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from headwater.lab import nursery as nurseries
from headwater.lab.nursery import Nursery
from tools import browser

settings.register_profile("headwater", deadline=None)  # no test asserts on elapsed time
settings.load_profile("headwater")

GONE_S = 5
"""How long a process that was told to end may take to be gone."""


@pytest.fixture(autouse=True)
def _nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test whose event loop ended with tasks still waiting, or that left a process."""
    tasks = _watch_tasks(monkeypatch)
    before = set(_processes())
    yield
    left = [process for process in _processes() if process not in before]
    _, left = psutil.wait_procs(left, timeout=GONE_S)
    told = [_describe(process) for process in left]
    for process in left:
        process.kill()
    if told:
        pytest.fail(f"left running: {'; '.join(told)}")
    if tasks:
        pytest.fail(f"left waiting when the loop ended: {', '.join(sorted(tasks))}")


def _watch_tasks(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of tasks that asyncio had to cancel because nobody had waited for them."""
    # nothing public tells of them, and the type stubs do not know this
    cancel_all = asyncio.runners._cancel_all_tasks  # type: ignore[attr-defined]
    names: set[str] = set()

    def watch(loop: asyncio.AbstractEventLoop) -> None:
        names.update(task.get_name() for task in asyncio.all_tasks(loop))
        cancel_all(loop)

    monkeypatch.setattr(asyncio.runners, "_cancel_all_tasks", watch)
    return names


def _processes() -> list[psutil.Process]:
    """Ours and theirs, but for the one that multiprocessing keeps until the end."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "resource_tracker" not in _describe(child)]


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return f"{process.pid} (ended)"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the test fails, and says what to install."""
    return browser.find() or pytest.fail(browser.ADVICE)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery | None]:
    """Where the tests' nodes are started, unless the start itself is what is tested."""
    with nurseries.nursery() as nursery:
        yield nursery


@pytest.hookimpl(wrapper=True, tryfirst=True)  # the timeout begins within
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that is marked `alone` has the machine to itself, also where several run (`-n`)."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    how = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    # Who waits to be alone holds the door, so that the others do not slip by one after the other.
    with _locked(Path(__file__)) as door, _locked(Path(__file__).parent, how):
        fcntl.flock(door, fcntl.LOCK_UN)
        return (yield)


@contextlib.contextmanager
def _locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[int]:
    """What lies there is not changed: all workers know it, that is what it is for."""
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, how)
        yield file
    finally:
        os.close(file)
