"""Pure anti-entropy with one neighbour: what differs is found bucket by bucket and pulled by who
lacks it.

Theory of operation. Both sides send a Digest when they meet and every DIGEST_EVERY_S. A Digest is
answered by Summaries of the buckets that differ, until they name ANSWER_ENTRIES items (next time
it goes on where it stopped), and, when anything differs, by the other's own Digest, so that it
learns what it lacks as well. From a Summary the receiver learns what is newer there and asks for
it by Want, at most WANT_KEYS in a message and WINDOW_KEYS under way, so that neither side ever
queues much. When all that is here and the answer had been cut off, it sends its Digest again.
Each side only pulls for itself: the state of one never depends on the other's, and a message
lost, late or doubled costs at most the wait for the next Digest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from headwater.catalog.ranks import (
    BUCKETS,
    HEAD_BYTES,
    KEY_BYTES,
    Rank,
    batches,
    pack_ranks,
    unpack_ranks,
)
from headwater.catalog.rate import Allowance
from headwater.errors import RemoteProtocolError
from headwater.wire.ids import ItemKey
from headwater.wire.items import Signed
from headwater.wire.messages import Control, Digest, Items, Summary, Want

__all__ = ["Index", "Sync", "SyncResult"]

DIGEST_EVERY_S = 30.0
ANSWER_ENTRIES = 8192
"""Entries (32 bytes each) that the Summaries in answer to one Digest name before they stop: 256
KiB."""
SUMMARY_ENTRIES = 16384
"""As many as one Summary may hold; a fuller bucket shows a part of itself."""
SUMMARIES_DUE = 64 * BUCKETS
"""Summaries that may still come for digests sent; a slow neighbour may answer many of them at
once."""
WANT_KEYS = 256
WINDOW_KEYS = 512
"""Keys asked for and not answered yet."""
PENDING_KEYS = 65536
"""Keys known to be newer there and not asked for yet; more are found again by a later Digest."""
REFUSED_RANKS = 65536
"""What this side would not take (bounds): not asked for again."""
ANSWER_TIMEOUT_S = 10.0
HURRY_S = 1.0
MAX_FRUITLESS_ROUNDS = 64
"""Cut-off answers in a row that brought nothing: two large catalogues that cannot agree stop
until the next Digest."""
DIGEST_BURST = 32
DIGESTS_PER_S = 4.0


class Index(Protocol):
    """What sync needs of a catalogue."""

    def buckets(self) -> bytes: ...

    def ranks(self, bucket: int) -> list[Rank]:
        """Every item whose key begins with that byte."""

    def signed(self, keys: Sequence[ItemKey]) -> list[Signed]:
        """Those that are here, in any order."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    send: list[Control] = field(default_factory=list)
    items: list[Signed] = field(default_factory=list)
    """To be checked and added; then `settle` says what became of them."""
    granted: int = 0
    """How many more items the neighbour may send because `send` asks for them."""


class Sync:
    """The state with one neighbour. Shape: at most PENDING_KEYS + WINDOW_KEYS keys and
    REFUSED_RANKS ranks."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._pending: dict[ItemKey, None] = {}
        self._asked: set[ItemKey] = set()
        self._refused: set[Rank] = set()
        self._named = 0  # entries in the Summaries since our last Digest
        self._summaries_due = 0
        self._fruitless_rounds = 0
        self._arrived_at = 0.0
        self._digest_at = 0.0
        self._has_more = False  # the other's Digest differed during a round: compare again after it
        self._cursor = 0  # the bucket from which the next Digest is answered
        self._turn = 0  # which part of an overfull bucket is shown next
        self._answers = Allowance(DIGESTS_PER_S, DIGEST_BURST, 0.0)

    def start(self, now: float) -> list[Control]:
        """What to say first."""
        return [self._digest(now)]

    def receive(self, message: Digest | Summary | Want | Items, now: float) -> SyncResult:
        """What to answer, and items to check. Raises: RemoteProtocolError when the other broke a
        rule."""
        match message:
            case Digest():
                return SyncResult(self._answer(message, now))
            case Summary():
                self._compare(message)
                return self._proceed(now)
            case Want():
                return SyncResult(self._serve(message))
            case Items():
                return SyncResult(items=list(message.items))

    def is_asked(self, key: ItemKey) -> bool:
        return key in self._asked

    def settle(
        self, arrived: Iterable[ItemKey], refused: Iterable[Rank], taken: int, now: float
    ) -> SyncResult:
        """Items that came were dealt with: what to ask next."""
        self._asked.difference_update(arrived)
        self._arrived_at = now
        if len(self._refused) > REFUSED_RANKS:
            self._refused.clear()
        self._refused.update(refused)
        if taken:
            self._fruitless_rounds = 0
        return self._proceed(now)

    def hurry(self, now: float) -> None:
        """Something could not be pushed to this neighbour: let it find the difference soon."""
        self._digest_at = min(self._digest_at, now + HURRY_S)

    def handle_timer(self, now: float) -> SyncResult:
        """Call it about once a second."""
        if self._asked and now - self._arrived_at > ANSWER_TIMEOUT_S:
            self._asked.clear()  # it no longer has them; a later Digest finds what is still missing
            self._arrived_at = now
        if self._pending or self._asked:
            return self._proceed(now)
        if now >= self._digest_at:
            self._fruitless_rounds = 0
            return SyncResult([self._digest(now)])
        return SyncResult()

    def _digest(self, now: float, *, is_answer: bool = False) -> Control:
        self._digest_at = now + DIGEST_EVERY_S
        self._named, self._has_more = 0, False
        self._summaries_due = min(self._summaries_due + BUCKETS, SUMMARIES_DUE)
        return Digest(self._index.buckets(), is_answer)

    def _answer(self, theirs: Digest, now: float) -> list[Control]:
        if not self._answers.take(1, now):
            return []  # it asks too often: its next one finds the same
        mine = self._index.buckets()
        if mine == theirs.buckets:
            return []
        answer: list[Control] = []
        if self._pending or self._asked:
            self._has_more = True
        elif not theirs.is_answer:
            answer.append(self._digest(now, is_answer=True))
        named = 0
        for bucket in (*range(self._cursor, BUCKETS), *range(self._cursor)):
            at = slice(bucket * HEAD_BYTES, (bucket + 1) * HEAD_BYTES)
            if mine[at] == theirs.buckets[at]:
                continue
            if named >= ANSWER_ENTRIES:
                self._cursor = bucket
                break
            ranks = self._part(self._index.ranks(bucket))
            answer.append(Summary(bucket, pack_ranks(ranks)))
            named += len(ranks)
        return answer

    def _part(self, ranks: list[Rank]) -> list[Rank]:
        if len(ranks) <= SUMMARY_ENTRIES:
            return ranks
        self._turn += 1
        start = self._turn * SUMMARY_ENTRIES % len(ranks)
        return (ranks[start:] + ranks[:start])[:SUMMARY_ENTRIES]

    def _compare(self, theirs: Summary) -> None:
        if not self._summaries_due:
            raise RemoteProtocolError("a summary came that no digest asked for")
        self._summaries_due -= 1
        ranks = unpack_ranks(theirs.entries)
        self._named += len(ranks)
        if not ranks:
            return
        held = {r.key: r for r in self._index.ranks(theirs.bucket)}
        for rank in ranks:
            if rank.key[0] != theirs.bucket:
                raise RemoteProtocolError(
                    f"a summary of bucket {theirs.bucket} names a key of another"
                )
            mine = held.get(rank.key)
            is_newer = mine is None or rank[1:] > mine[1:]
            is_due = is_newer and rank.key not in self._asked and rank not in self._refused
            if is_due and len(self._pending) < PENDING_KEYS:
                self._pending[rank.key] = None

    def _serve(self, want: Want) -> list[Control]:
        if len(want.keys) % KEY_BYTES or len(want.keys) > WINDOW_KEYS * KEY_BYTES:
            raise RemoteProtocolError(
                f"a want of {len(want.keys)} bytes is cut in a key or too long"
            )
        keys = [ItemKey(want.keys[i : i + KEY_BYTES]) for i in range(0, len(want.keys), KEY_BYTES)]
        return batches(self._index.signed(keys))

    def _proceed(self, now: float) -> SyncResult:
        """Fill the window; when all is here and the answer had been cut off, ask for the rest of
        it."""
        send: list[Control] = []
        granted = 0
        while self._pending and len(self._asked) + WANT_KEYS <= WINDOW_KEYS:
            if not self._asked:
                self._arrived_at = now
            keys = list(islice(self._pending, WANT_KEYS))
            for key in keys:
                del self._pending[key]
            self._asked.update(keys)
            granted += len(keys)
            send.append(Want(b"".join(keys)))
        is_unfinished = self._has_more or self._named >= ANSWER_ENTRIES
        if not self._asked and is_unfinished and self._fruitless_rounds < MAX_FRUITLESS_ROUNDS:
            self._fruitless_rounds += 1
            send.append(self._digest(now, is_answer=True))
        return SyncResult(send, granted=granted)
