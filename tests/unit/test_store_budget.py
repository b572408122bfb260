"""The quota, and the disk's reserve, with a disk made of a number."""

import pytest

from headwater.errors import StorageFull
from headwater.node.config import StoreConfig
from headwater.store.budget import Budget

MB = 1_000_000


class Disk:
    def __init__(self, free: int) -> None:
        self.free, self.asked = free, 0

    def free_bytes(self) -> int:
        self.asked += 1
        return self.free


def test_the_quota_is_met_exactly_and_freed_again() -> None:
    budget = Budget(StoreConfig(quota_bytes=10 * MB, reserve_bytes=0), Disk(100 * MB).free_bytes)
    budget.count(2 * MB)
    budget.take(8 * MB)
    assert budget.room_bytes() == 0
    with pytest.raises(StorageFull, match="take 10 MB of the 10 MB"):
        budget.take(1)
    budget.give_back(3 * MB)
    assert (budget.used_bytes, budget.room_bytes()) == (7 * MB, 3 * MB)


def test_the_reserve_stays_free() -> None:
    disk = Disk(100 * MB)
    budget = Budget(StoreConfig(reserve_bytes=90 * MB), disk.free_bytes)
    assert budget.room_bytes() == 10 * MB
    budget.take(10 * MB)
    disk.free -= 10 * MB
    with pytest.raises(StorageFull, match="90 MB free, of which 90 MB"):
        budget.take(1)
    assert (budget.used_bytes, budget.room_bytes()) == (10 * MB, 0)


def test_the_disk_is_not_asked_for_every_block() -> None:
    disk = Disk(10_000 * MB)
    budget = Budget(StoreConfig(), disk.free_bytes)
    for _ in range(1000):
        budget.take(MB)
    assert disk.asked < 20
