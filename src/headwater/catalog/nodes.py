"""Who is in the mesh now: the newest record of each node, in memory, for as long as it is
renewed."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from headwater.catalog.bounds import Bounds
from headwater.catalog.ledger import Admission, Verdict
from headwater.wire.ids import ItemKey
from headwater.wire.items import Claim, Item, NodeRecord

__all__ = ["Nodes"]


@dataclass(slots=True)
class _Heard:
    item: Item
    record: NodeRecord
    at_ms: int


class Nodes:
    """Shape: at most `bounds.nodes`; for a new one the longest silent goes, if it has expired.

    Until then an expired record stays, unseen: an old copy of it must not bring its node back.
    """

    def __init__(self, now_ms: Callable[[], int], bounds: Bounds) -> None:
        self._now_ms, self._bounds = now_ms, bounds
        self._expiry_ms = round(bounds.node_expiry_s * 1000)
        self._lock = threading.Lock()
        self._heard: dict[ItemKey, _Heard] = {}  # the longest silent first

    def admit(self, items: Iterable[Item]) -> Admission:
        """Take what is newer than what is known, not too far ahead, and has room."""
        now = self._now_ms()
        admission = Admission()
        with self._lock:
            for item in items:
                held = self._heard.get(item.key)
                if held is not None and not item.replaces(held.item):
                    continue
                is_taken = self._admit(item, now)
                (admission.taken if is_taken else admission.refused).append(item)
        return admission

    def judge(self, claim: Claim) -> Verdict:
        """What would become of it."""
        held = self._heard.get(claim.key)
        return "news" if held is None or claim.replaces(held.item) else "old"

    def get(self, key: ItemKey) -> Item | None:
        """Even an expired one: the next version of our own goes on from it."""
        held = self._heard.get(key)
        return held.item if held else None

    def present(self) -> list[Item]:
        since = self._now_ms() - self._expiry_ms
        with self._lock:
            return [h.item for h in self._heard.values() if h.at_ms > since]

    def record(self, key: ItemKey) -> NodeRecord | None:
        held = self._heard.get(key)
        return held.record if held and held.at_ms > self._now_ms() - self._expiry_ms else None

    def _admit(self, item: Item, now: int) -> bool:
        if not isinstance(item.body, NodeRecord) or item.version > now + self._bounds.ahead_ms:
            return False
        if self._heard.pop(item.key, None) is None and not self._make_room(now):
            return False
        self._heard[item.key] = _Heard(item, item.body, now)
        return True

    def _make_room(self, now: int) -> bool:
        if len(self._heard) < self._bounds.nodes:
            return True
        longest_silent = next(iter(self._heard))
        if self._heard[longest_silent].at_ms > now - self._expiry_ms:
            return False
        del self._heard[longest_silent]
        return True
