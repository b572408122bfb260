"""Settings changed while a node runs: at once, and still there when it comes back."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from headwater.errors import LocalUsageError, StorageFull
from headwater.lab.cluster import Cluster, LabNode
from headwater.lab.nursery import Nursery
from headwater.node import settings as node_settings
from headwater.node.settings import Changes, KeptSettings, read_kept
from headwater.transfer.limits import RateLimit

GIB = 2**30


def test_a_name_and_limits_count_at_once_for_everybody_and_outlive_the_node(
    nursery: Nursery | None,
) -> None:
    async def check() -> None:
        async with Cluster(nursery=nursery) as cluster:
            anna = await cluster.start_node("anna")
            ben = await cluster.start_node("ben", join=[anna])
            changed = await patch(anna, {"name": "Anna's desk", "up_bytes_s": 3 * GIB})
            assert changed["said_at_start"] == {"name": "--name"}
            status = anna.api.get("/api/v1/status")
            assert (status["name"], status["limits"]["up_bytes_s"]) == ("Anna's desk", 3 * GIB)
            await told(ben, lambda peers: [p["name"] for p in peers] == ["Anna's desk"])

            anna = await cluster.start_node("anna")  # with --name again, which wins
            status = anna.api.get("/api/v1/status")
            assert (status["name"], status["limits"]["up_bytes_s"]) == ("anna", 3 * GIB)

    asyncio.run(check())


async def patch(node: LabNode, changes: dict[str, object]) -> Any:
    async with httpx.AsyncClient(base_url=node.page) as client:
        answer = await client.patch("/api/v1/settings", json=changes)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def told(node: LabNode, claim: Callable[[Any], bool]) -> None:
    """Until the node's list of machines is so: records spread by themselves."""
    async with asyncio.timeout(30):
        while not claim((await asyncio.to_thread(node.api.get, "/api/v1/peers"))["peers"]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_what_is_kept_adds_up_and_what_is_wrong_changes_nothing(tmp_path: Path) -> None:
    async def check() -> None:
        kept = KeptSettings(tmp_path)
        await asyncio.gather(kept.add(Changes(name="Anna")), kept.add(Changes(up_bytes_per_s=5)))
        with pytest.raises(LocalUsageError):
            await kept.add(Changes(name="x" * 65, up_bytes_per_s=6))
        assert read_kept(tmp_path) == {"name": "Anna", "limits.up_bytes_per_s": 5}

    asyncio.run(check())


def test_a_full_disk_refuses_the_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(node_settings, "replace_file", full)
    with pytest.raises(StorageFull):
        asyncio.run(KeptSettings(tmp_path).add(Changes(name="Anna")))


def test_who_waits_for_a_slow_limit_goes_on_when_it_is_lifted() -> None:
    async def check() -> None:
        limit = RateLimit(1)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            waiting = [group.create_task(limit.turn(10**6, lambda: 5.0)) for _ in range(3)]
            await asyncio.sleep(0)
            assert not any(task.done() for task in waiting)
            limit.change(0)

    asyncio.run(check())
