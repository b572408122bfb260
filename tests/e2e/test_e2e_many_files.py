"""Thousands of files in a watched folder: the node answers all the while, and all are shared."""

import asyncio
from pathlib import Path

import psutil
import pytest
from e2e_nodes import ended, until

from headwater.lab.cluster import Cluster

MOST_MB = 300


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(1500, marks=pytest.mark.timeout(180)),
        pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
async def test_a_folder_of_many_files(cluster: Cluster, folder: Path, files: int) -> None:
    for number in range(files):
        below = folder / f"{number // 500:03}"
        below.mkdir(exist_ok=True)
        (below / f"{number:05}.txt").write_text(f"the text of file {number}")
    node = await cluster.start_node(f"many-{files}", folders=[])
    other = await cluster.start_node(f"other-{files}", join=[node])
    process = psutil.Process(node.pid)
    told = await asyncio.to_thread(node.api.post, "/api/v1/shares", {"path": str(folder)})
    most_mb, answered, known = 0.0, 0, 0
    while known < files:
        page = await asyncio.to_thread(node.api.get, "/api/v1/videos", limit=1)
        assert page["total"] >= known
        known, answered = page["total"], answered + 1
        most_mb = max(most_mb, process.memory_info().rss / 1e6)
        await asyncio.sleep(0.05)
    assert answered > 10
    assert most_mb < MOST_MB
    assert (await ended(node, told["jobs"][0]["id"]))["phase"] == "done"
    # The mesh has them as well, and no file is there twice.
    await until(
        "the other knows all",
        lambda: other.api.get("/api/v1/videos", limit=0)["total"] == files,
        within_s=120,
    )
    found = await asyncio.to_thread(other.api.get, "/api/v1/videos", q=f"{files - 1:05}")
    assert found["total"] == 1
    # Gone in one go: so is what was shared of it.
    answer = await asyncio.to_thread(node.api.delete, "/api/v1/shares", {"path": str(folder)})
    assert len(answer["videos"]) == files
    await until(
        "the other forgets all",
        lambda: other.api.get("/api/v1/videos", limit=0)["total"] == 0,
        within_s=120,
    )
    assert psutil.Process(other.pid).memory_info().rss / 1e6 < MOST_MB
