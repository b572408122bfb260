"""Everything that the mesh has told this node: one SQLite file, searched locally and at once."""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.catalog import search as reading
from headwater.catalog.addresses import AddressBook
from headwater.catalog.airing import Airing, CataloguedLive
from headwater.catalog.bounds import Bounds
from headwater.catalog.ledger import Admission, Ledger, Verdict
from headwater.catalog.nodes import Nodes
from headwater.catalog.ranks import HEAD_BYTES, Rank
from headwater.catalog.rows import ITEM_COLUMNS, CataloguedVideo, entry_of, item_of
from headwater.catalog.schema import connect, prepare
from headwater.catalog.search import Found
from headwater.wire.ids import ItemKey, LiveId, NodeId, VideoId
from headwater.wire.items import Claim, Item, LiveEntry, NodeRecord, Signed, item_key

__all__ = ["Catalogue", "Holders"]


@dataclass(frozen=True, slots=True)
class Holders:
    """Nodes that say they have a video; whether they can be reached is for the caller to see."""

    whole: tuple[NodeId, ...] = ()
    partial: tuple[NodeId, ...] = ()


class Catalogue:
    """Checked items only. May be called from any thread; a write waits for at most one batch of
    another."""

    def __init__(
        self, database: Path, now_ms: Callable[[], int], bounds: Bounds | None = None
    ) -> None:
        bounds = bounds or Bounds()
        self._now_ms = now_ms
        writer, writing = prepare(database), threading.Lock()
        self._ledger = Ledger(writer, writing, now_ms, bounds)
        self._book = AddressBook(writer, writing, bounds.addresses)
        self._nodes = Nodes(now_ms, bounds)
        self._airing = Airing(now_ms, bounds)
        self._reader, self._reading = connect(database, read_only=True), threading.Lock()

    def close(self) -> None:
        with self._reading:
            self._reader.close()
        self._ledger.close()

    # Writing.

    def add(self, items: Sequence[Item]) -> list[Item]:
        """Take what is newer than what is here and within the bounds: those taken."""
        return self.admit(items).taken

    def admit(self, items: Iterable[Item]) -> Admission:
        """The same, and what was refused because of a bound."""
        records: list[Item] = []
        lives: list[Item] = []
        others: list[Item] = []
        for item in items:
            is_record, is_live = isinstance(item.body, NodeRecord), isinstance(item.body, LiveEntry)
            (records if is_record else lives if is_live else others).append(item)
        heard = self._nodes.admit(records)
        self._book.note(heard.taken, self._now_ms())
        done = [heard, self._airing.admit(lives)]
        if others:
            done.append(self._ledger.admit(others))
        return Admission([i for d in done for i in d.taken], [i for d in done for i in d.refused])

    def next_version(self, key: ItemKey) -> int:
        """For an item of our own: later than now and than the one it replaces."""
        known = self.item(key)
        return max(self._now_ms(), known.version + 1 if known else 1)

    # Anti-entropy (`sync.Index`) and what gossip asks.

    def buckets(self) -> bytes:
        return self._ledger.buckets()

    def ranks(self, bucket: int) -> list[Rank]:
        above = bytes([bucket + 1]) if bucket < 255 else bytes([255]) * 17
        rows = self._rows(
            f"SELECT key, version, substr(digest, 1, {HEAD_BYTES}) FROM item"
            " WHERE key >= ? AND key < ?",
            (bytes([bucket]), above),
        )
        return [Rank(*row) for row in rows]

    def signed(self, keys: Sequence[ItemKey]) -> list[Signed]:
        marks = ",".join("?" * len(keys))
        rows = self._rows(
            f"SELECT author, body, signature FROM item WHERE key IN ({marks})", tuple(keys)
        )
        return [Signed(*row) for row in rows]

    def judge(self, claim: Claim) -> Verdict:
        """What would become of an item if its signature were good."""
        match claim.body:
            case NodeRecord():
                return self._nodes.judge(claim)
            case LiveEntry():
                return self._airing.judge(claim)
            case _:
                return self._ledger.judge(claim)

    # Reading.

    def item(self, key: ItemKey) -> Item | None:
        rows = self._rows(f"SELECT {ITEM_COLUMNS} FROM item WHERE key = ?", (key,))
        return item_of(rows[0]) if rows else self._nodes.get(key) or self._airing.get(key)

    def entry(self, video: VideoId) -> CataloguedVideo | None:
        """How it is described; when several channels publish it, the oldest entry."""
        rows = self._rows(
            "SELECT author, body FROM item WHERE video = ? AND kind = 'video' AND chosen = 1",
            (video,),
        )
        return entry_of(rows[0]) if rows else None

    def is_taken_back(self, video: VideoId) -> bool:
        """Whether it was shared, and is no more. False also of what nobody ever told."""
        kinds = {kind for (kind,) in self._rows("SELECT kind FROM item WHERE video = ?", (video,))}
        return "retract" in kinds and "video" not in kinds

    def holders(self, video: VideoId) -> Holders:
        """Its publishers, and who says to hold it; what a node says of itself counts for more."""
        states: dict[NodeId, str] = {}
        for author, body in self._rows(
            "SELECT author, body FROM item WHERE video = ? AND kind = 'video'", (video,)
        ):
            if any(node := entry_of((author, body)).entry.node):
                states[NodeId(node)] = "whole"
        states.update(
            self._rows("SELECT author, label FROM item WHERE video = ? AND kind = 'hold'", (video,))
        )
        return Holders(
            tuple(n for n, state in states.items() if state == "whole"),
            tuple(n for n, state in states.items() if state == "partial"),
        )

    def search(
        self,
        words: str,
        *,
        limit: int = 50,
        offset: int = 0,
        channel: NodeId | None = None,
        videos: Collection[VideoId] | None = None,
    ) -> Found:
        """What has all the words (the start of each is enough), any script; "" lists the newest
        first."""
        with self._reading:
            return reading.search(
                self._reader, words, limit=limit, offset=offset, channel=channel, videos=videos
            )

    def resolve(self, text: str) -> list[CataloguedVideo]:
        """What a person meant: link, id or its first digits, title, words; several when
        ambiguous."""
        with self._reading:
            return reading.resolve(self._reader, text)

    # Lives.

    def lives(self, words: str = "") -> list[CataloguedLive]:
        """Those on air (or just ended) whose title has all the words, the newest first."""
        return self._airing.search(words)

    def live(self, live: LiveId) -> CataloguedLive | None:
        return self._airing.find(live)

    # Nodes.

    def fleeting(self) -> list[Item]:
        """What anti-entropy does not carry: records of the nodes heard of lately, lives on air."""
        return self._nodes.present() + self._airing.items()

    def nodes(self) -> list[Item]:
        """The records of the nodes that were heard of lately."""
        return self._nodes.present()

    def record(self, node: NodeId) -> NodeRecord | None:
        return self._nodes.record(item_key(NodeRecord, node))

    def last_name(self, node: NodeId) -> str:
        """What a node was called when last heard of, however long ago; empty if never."""
        return self._book.name(node)

    def known_addresses(self) -> list[tuple[NodeId, tuple[str, ...]]]:
        """Whom to dial at start, the last heard first; survives restarts."""
        return self._book.all()

    def _rows(self, query: str, values: tuple[object, ...]) -> list[Any]:
        with self._reading:
            return self._reader.execute(query, values).fetchall()
