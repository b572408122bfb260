"""The writing half of the catalogue: which items are taken, which is newer, and the sums that
sync compares."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from headwater.catalog.bounds import Bounds
from headwater.catalog.ranks import BUCKETS, HEAD_BYTES
from headwater.catalog.rows import searchable, values_of
from headwater.catalog.schema import writing
from headwater.catalog.words import fold, spread
from headwater.wire.ids import ItemKey, NodeId
from headwater.wire.items import Claim, Holding, Item, Retraction, VideoEntry

__all__ = ["Admission", "Ledger", "Verdict"]

Verdict = Literal["news", "old", "refused"]
"""Would be taken; is here, or something newer is; lies beyond a bound."""


@dataclass(slots=True)
class Admission:
    """What became of a batch; what was here already is in neither list."""

    taken: list[Item] = field(default_factory=list)
    refused: list[Item] = field(default_factory=list)


class _Held(NamedTuple):
    version: int
    digest: bytes
    row: int


class Ledger:
    """Owns the writing connection; every method may be called from any thread."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        lock: threading.Lock,
        now_ms: Callable[[], int],
        bounds: Bounds,
    ) -> None:
        self._connection, self._lock = connection, lock
        self._now_ms, self._bounds = now_ms, bounds
        self._forget_gone()
        self._recount()

    def admit(self, items: Iterable[Item]) -> Admission:
        """Take what is newer than what is here and within the bounds, in one transaction.

        Raises: StorageFull; nothing was taken then."""
        admission = Admission()
        with self._lock, writing():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for item in items:
                    self._admit(item, admission)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._recount()
                raise
        return admission

    def judge(self, claim: Claim) -> Verdict:
        """What would become of it."""
        with self._lock:
            return self._judge(claim, self._held(claim.key))

    def buckets(self) -> bytes:
        """The XOR of the digest heads of each bucket, as wire Digest carries it.

        Never waits: sums of a batch half written differ from any other's, which costs a message."""
        return b"".join(s.to_bytes(HEAD_BYTES, "big") for s in list(self._sums))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _admit(self, item: Item, admission: Admission) -> None:
        held = self._held(item.key)
        verdict = self._judge(item, held)
        if verdict == "refused":
            admission.refused.append(item)
        if verdict != "news":
            return
        if held is not None:
            self._remove(item, held)
        self._insert(item)
        admission.taken.append(item)

    def _held(self, key: ItemKey) -> _Held | None:
        found = self._connection.execute(
            "SELECT version, digest, id FROM item WHERE key = ?", (key,)
        ).fetchone()
        return _Held(*found) if found else None

    def _judge(self, claim: Claim, held: _Held | None) -> Verdict:
        if held is not None and (claim.version, claim.digest) <= held[:2]:
            return "old"
        now = self._now_ms()
        is_gone = isinstance(claim.body, Holding) and claim.body.state == "gone"
        if is_gone and claim.version <= now - self._bounds.gone_ms:
            return "refused"
        if claim.version > now + self._bounds.ahead_ms:
            return "refused"
        is_full = (
            self._total >= self._bounds.items
            or self._per_author[claim.author] >= self._bounds.items_per_author
        )
        return "refused" if held is None and is_full else "news"

    def _insert(self, item: Item) -> None:
        execute, body = self._connection.execute, item.body
        is_alone = isinstance(body, VideoEntry) and not self._has_entry(body.video)
        row = execute(
            "INSERT INTO item (key, version, digest, author, kind, video, body, signature,"
            " created, label, chosen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values_of(item), is_alone),
        ).lastrowid
        if isinstance(body, VideoEntry):
            words = spread(fold(searchable(body)))
            execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row, words))
        if isinstance(body, VideoEntry | Retraction) and not is_alone:
            self._choose(body.video)
        self._count(item.key, item.digest, item.author, 1)

    def _has_entry(self, video: bytes) -> bool:
        query = "SELECT 1 FROM item WHERE video = ? AND kind = 'video'"
        return self._connection.execute(query, (video,)).fetchone() is not None

    def _remove(self, item: Item, held: _Held) -> None:
        self._connection.execute("DELETE FROM item WHERE id = ?", (held.row,))
        if not isinstance(item.body, Holding):
            self._connection.execute("DELETE FROM words WHERE rowid = ?", (held.row,))
        self._count(item.key, held.digest, item.author, -1)

    def _choose(self, video: bytes) -> None:
        """Of several channels' entries the oldest stands for the video, on every node the same."""
        self._connection.execute(
            "UPDATE item SET chosen = (id = (SELECT id FROM item"
            " WHERE video = ?1 AND kind = 'video' ORDER BY created, author LIMIT 1))"
            " WHERE video = ?1 AND kind = 'video'",
            (video,),
        )

    def _forget_gone(self) -> None:
        """Only at start: by the same rule they are not taken from others, so they stay away."""
        old = self._now_ms() - self._bounds.gone_ms
        self._connection.execute(
            "DELETE FROM item WHERE kind = 'hold' AND label = 'gone' AND version <= ?", (old,)
        )

    def _recount(self) -> None:
        self._total, self._sums = 0, [0] * BUCKETS
        self._per_author: Counter[NodeId] = Counter()
        for key, digest, author in self._connection.execute("SELECT key, digest, author FROM item"):
            self._count(key, digest, author, 1)

    def _count(self, key: bytes, digest: bytes, author: NodeId, change: int) -> None:
        self._total += change
        self._per_author[author] += change
        self._sums[key[0]] ^= int.from_bytes(digest[:HEAD_BYTES], "big")
