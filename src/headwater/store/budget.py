"""How much more may be written: the quota of fetched videos, and what the disk must keep free."""

from collections.abc import Callable
from threading import Lock

from headwater.errors import StorageFull
from headwater.node.config import StoreConfig

__all__ = ["Budget"]

_CREDIT_BYTES = 64 * 1024 * 1024
"""The disk is asked for its free space once per so much written: far less than the reserve."""
_MB = 1_000_000


class Budget:
    """`used_bytes` of fetched videos against the limits. Thread-safe."""

    def __init__(self, config: StoreConfig, free_bytes: Callable[[], int]) -> None:
        self._config, self._free_bytes = config, free_bytes
        self._lock = Lock()
        self._credit = 0
        self.used_bytes = 0

    def take(self, count: int) -> None:
        """Before writing `count` new bytes. Raises: StorageFull; nothing is taken then."""
        with self._lock:
            quota = self._config.quota_bytes
            if quota and self.used_bytes + count > quota:
                raise StorageFull(
                    f"fetched videos take {self.used_bytes // _MB} MB of the {quota // _MB} MB that"
                    " they may: remove some, or raise the quota"
                )
            if count > self._credit:
                self._credit = self._ask_disk(count)
            self._credit -= count
            self.used_bytes += count

    def count(self, count: int) -> None:
        """These bytes are on disk from an earlier run."""
        with self._lock:
            self.used_bytes += count

    def give_back(self, count: int) -> None:
        with self._lock:
            self.used_bytes -= count

    def room_bytes(self) -> int:
        """What could be written now."""
        room = self._free_bytes() - self._config.reserve_bytes
        if self._config.quota_bytes:
            room = min(room, self._config.quota_bytes - self.used_bytes)
        return max(0, room)

    def _ask_disk(self, count: int) -> int:
        free = self._free_bytes()
        room = free - self._config.reserve_bytes
        if count > room:
            raise StorageFull(
                f"the disk has {max(0, free) // _MB} MB free, of which"
                f" {self._config.reserve_bytes // _MB} MB must stay so: make room, then try again"
            )
        return min(room, max(count, _CREDIT_BYTES))
