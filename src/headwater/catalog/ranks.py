"""What anti-entropy compares and carries: ranks in their wire form, items in messages that fit."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from headwater.errors import RemoteProtocolError
from headwater.wire.ids import ItemKey
from headwater.wire.items import Claim, Signed
from headwater.wire.messages import Control, Items

__all__ = [
    "BUCKETS",
    "HEAD_BYTES",
    "KEY_BYTES",
    "Rank",
    "batches",
    "pack_ranks",
    "unpack_ranks",
]

BUCKETS = 256
HEAD_BYTES = 8
KEY_BYTES = 16
RANK_BYTES = KEY_BYTES + 8 + HEAD_BYTES

MAX_BATCH_ITEMS = 512
MAX_BATCH_BYTES = 256 * 1024
ITEM_OVERHEAD_BYTES = 128


class Rank(NamedTuple):
    """Which item, and which of two of the same key is newer: the greater (version, head)."""

    key: ItemKey
    version: int
    head: bytes

    @classmethod
    def of(cls, claim: Claim) -> Self:
        return cls(claim.key, claim.version, claim.digest[:HEAD_BYTES])


def batches(items: Iterable[Signed]) -> list[Control]:
    """Items messages that stay well below a frame each."""
    messages: list[Control] = []
    batch: list[Signed] = []
    size = 0
    for item in items:
        cost = len(item.body) + ITEM_OVERHEAD_BYTES
        if batch and (len(batch) == MAX_BATCH_ITEMS or size + cost > MAX_BATCH_BYTES):
            messages.append(Items(tuple(batch)))
            batch, size = [], 0
        batch.append(item)
        size += cost
    return [*messages, Items(tuple(batch))] if batch else messages


def pack_ranks(ranks: Iterable[Rank]) -> bytes:
    return b"".join(r.key + r.version.to_bytes(8, "big") + r.head for r in ranks)


def unpack_ranks(entries: bytes) -> list[Rank]:
    """Raises: RemoteProtocolError when it is no whole number of entries."""
    if len(entries) % RANK_BYTES:
        raise RemoteProtocolError(f"a summary of {len(entries)} bytes is cut in an entry")
    return [
        Rank(
            ItemKey(entries[i : i + KEY_BYTES]),
            int.from_bytes(entries[i + KEY_BYTES : i + KEY_BYTES + 8], "big"),
            entries[i + KEY_BYTES + 8 : i + RANK_BYTES],
        )
        for i in range(0, len(entries), RANK_BYTES)
    ]
