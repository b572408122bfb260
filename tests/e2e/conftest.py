"""Nodes and pages that the tests of one module share: real processes and a real Chromium.

Each module has one event loop, on which its `async def` tests run, and on it one cluster and one
browser. What a module started is gone when it ends; the root's check per test gives way to that."""

import asyncio
import inspect
from collections.abc import Generator, Iterator
from pathlib import Path

import psutil
import pytest
from e2e_films import Films
from e2e_loop import Loop
from e2e_nodes import log_tails
from e2e_pages import Pages, launch
from playwright.async_api import Browser

from headwater.lab.cluster import Cluster
from headwater.lab.nursery import Nursery

GONE_S = 10


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_of_the_module(nursery: Nursery | None) -> Iterator[None]:
    """The nursery, which stays for the modules to come, is there before any of them."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = [each for each in psutil.Process().children(recursive=True) if each not in before]
    _, left = psutil.wait_procs(left, timeout=GONE_S)
    told = [f"{each.pid} {each.name()}" for each in left if each.is_running()]
    for each in left:
        each.kill()
    assert not told, f"left running: {told}"


@pytest.fixture(autouse=True)
def _nothing_left() -> None:
    """Browser and nodes live as long as their module: they are counted at its end, above."""


@pytest.fixture(scope="module")
def loop(_nothing_left_of_the_module: None) -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def cluster(
    loop: Loop,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    nursery: Nursery | None,
) -> Iterator[Cluster]:
    """Nodes of this module, which know only whom they are told of. Those of a module with IS_FAULTY
    obey LabNode.fault()."""
    is_faulty = getattr(request.module, "IS_FAULTY", False)
    root = tmp_path_factory.mktemp("nodes")
    cluster = Cluster(root, is_faulty=is_faulty, nursery=nursery)
    stop, ready = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with cluster:
            ready.set()
            await stop.wait()

    async def begin() -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(live(), name="e2e.cluster")
        await ready.wait()
        return task

    async def end() -> None:
        stop.set()
        await task

    task = loop.run(begin())
    yield cluster
    loop.run(end())


@pytest.fixture(scope="module")
def browser(loop: Loop, chromium: str) -> Iterator[Browser]:
    playwright, browser = loop.run(launch(chromium))
    yield browser
    loop.run(browser.close())
    loop.run(playwright.stop())


@pytest.fixture
def pages(loop: Loop, browser: Browser) -> Iterator[Pages]:
    """Pages of this test; an error that a page's script did not catch fails the test."""
    pages = Pages(browser)
    yield pages
    loop.run(pages.close())
    assert not pages.errors, f"errors in the page: {pages.errors}"


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Films:
    return Films(tmp_path_factory.mktemp("films"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, to be shared."""
    path = tmp_path / "videos"
    path.mkdir()
    return path


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """An `async def` test runs on its module's loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.function):
        return None
    names = inspect.signature(pyfuncitem.function).parameters
    loop: Loop = pyfuncitem._request.getfixturevalue("loop")
    loop.run(pyfuncitem.function(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the nodes logged goes with a failure."""
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and cluster is not None:
        report.sections.extend(log_tails(cluster))
    return report
