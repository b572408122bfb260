"""Real node processes: ready, joined, restarted, and gone whatever happens to who made them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from headwater.errors import Unavailable
from headwater.lab.cluster import Cluster, LabNode
from headwater.lab.nursery import Nursery

pytestmark = pytest.mark.timeout(60)


async def told(node: LabNode, event: str) -> str:
    """The name in the node's next word of that kind."""
    while (said := await node.told.get())["event"] != event:
        pass
    return str(said["name"])


@pytest.fixture(params=["by itself", "forked"])
def home(request: pytest.FixtureRequest, nursery: Nursery | None) -> Nursery | None:
    return nursery if request.param == "forked" else None


def test_nodes_are_ready_when_started_and_find_who_they_join(home: Nursery | None) -> None:
    async def _run() -> None:
        async with Cluster(nursery=home) as cluster:
            anna = await cluster.start_node("anna")
            ben = await cluster.start_node("ben", join=[anna])
            assert await told(anna, "found") == "ben"
            status = await asyncio.to_thread(ben.api.get, "/api/v1/status")
            assert (status["name"], status["id"], status["page"]) == ("ben", ben.id, ben.page)
            root = cluster.root
        assert not psutil.pid_exists(anna.pid) and not psutil.pid_exists(ben.pid)
        assert not root.exists()

    asyncio.run(_run())


def test_a_node_that_was_killed_is_missed_and_comes_back_as_itself(home: Nursery | None) -> None:
    async def _run() -> None:
        async with Cluster(nursery=home) as cluster:
            anna = await cluster.start_node("anna")
            ben = await cluster.start_node("ben", join=[anna])
            assert await told(ben, "found") == "anna"
            anna.kill()
            assert await anna.ended() == -signal.SIGKILL
            assert await told(ben, "gone") == "anna"
            again = await cluster.start_node("anna", join=[ben])
            assert again.id == anna.id
            assert await told(ben, "found") == "anna"

    asyncio.run(_run())


def test_a_node_that_cannot_start_says_why(home: Nursery | None, tmp_path: Path) -> None:
    async def _run() -> None:
        async with Cluster(nursery=home) as cluster:
            with pytest.raises(
                Unavailable, match="ended before it was ready: headwater: there is no"
            ):
                await cluster.start_node("anna", folders=[tmp_path / "none"])

    asyncio.run(_run())


def test_a_stopped_node_is_ended_all_the_same(home: Nursery | None) -> None:
    async def _run() -> None:
        async with Cluster(nursery=home) as cluster:
            anna = await cluster.start_node("anna")
            anna.kill(signal.SIGSTOP)
        assert not anna.is_running

    asyncio.run(_run())


LAB = [sys.executable, "-m", "headwater", "lab", "--nodes", "2", "--json", "--no-browser"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_lab_however_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*LAB, "--folder", str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as lab:
        assert lab.stdout is not None
        pids = [json.loads(lab.stdout.readline())["pid"] for _ in range(2)]
        nodes = [psutil.Process(pid) for pid in pids]
        if number is signal.SIGKILL:
            nodes[0].send_signal(signal.SIGSTOP)  # hears nothing, and must be gone all the same
        lab.send_signal(number)
        code = lab.wait()
    assert code == (-signal.SIGKILL if number is signal.SIGKILL else 0)
    _, alive = psutil.wait_procs(nodes, timeout=20)
    assert not alive
