"""A machine that its owner does not want: shut out at once, after a restart too, until let in."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from headwater.errors import LocalUsageError, StorageFull, Unavailable
from headwater.lab.cluster import Cluster, LabNode
from headwater.lab.nursery import Nursery
from headwater.node import blocklist
from headwater.node.blocklist import Blocklist
from headwater.wire.ids import NodeId

pytestmark = pytest.mark.timeout(60)

BOB = NodeId(b"b" * 32)


def test_a_blocked_machine_stays_out_over_a_restart_and_comes_back_when_unblocked(
    nursery: Nursery | None,
) -> None:
    async def check() -> None:
        async with Cluster(nursery=nursery) as cluster:
            anna = await cluster.start_node("anna")
            ben = await cluster.start_node("ben", join=[anna])
            await sees(anna, "ben", connected=True)
            await asyncio.to_thread(anna.api.put, f"/api/v1/peers/{ben.id}/block")
            await sees(anna, "ben", connected=False)
            await sees(ben, "anna", connected=False)

            anna = await cluster.start_node("anna", join=[ben])
            (bens,) = (await asyncio.to_thread(anna.api.get, "/api/v1/peers"))["peers"]
            assert (bens["name"], bens["blocked"]) == ("ben", True)
            with pytest.raises(Unavailable):
                await asyncio.to_thread(ben.api.post, "/api/v1/peers", {"address": anna.address})
            assert not (await peer(anna, "ben"))["connected"]

            await asyncio.to_thread(anna.api.delete, f"/api/v1/peers/{ben.id}/block")
            await sees(anna, "ben", connected=True)

    asyncio.run(check())


async def peer(node: LabNode, name: str) -> Any:
    peers = (await asyncio.to_thread(node.api.get, "/api/v1/peers"))["peers"]
    return next((each for each in peers if each["name"] == name), {"connected": False})


async def sees(node: LabNode, name: str, *, connected: bool) -> None:
    async with asyncio.timeout(40):
        while (await peer(node, name))["connected"] is not connected:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def test_the_list_is_kept_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Blocklist(tmp_path).add(BOB, "Bob's PC")
    known = Blocklist(tmp_path)
    assert dict(known) == {BOB: "Bob's PC"}
    monkeypatch.setattr(blocklist, "MAX_BLOCKED", 1)
    with pytest.raises(LocalUsageError, match="unblock some"):
        known.add(NodeId(bytes(32)), "one too many")
    known.add(BOB, "Bob")
    known.remove(NodeId(bytes(32)))
    known.remove(BOB)
    assert not Blocklist(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"zz": "Bob"}'])
def test_a_damaged_list_lets_nobody_in_by_accident(tmp_path: Path, text: str) -> None:
    (tmp_path / blocklist.FILE_NAME).write_text(text)
    with pytest.raises(LocalUsageError, match="block again"):
        Blocklist(tmp_path)


def test_on_a_full_disk_a_block_counts_until_the_node_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    known = Blocklist(tmp_path)
    monkeypatch.setattr(blocklist, "replace_file", full)
    with pytest.raises(StorageFull):
        known.add(BOB, "Bob")
    assert BOB in known
