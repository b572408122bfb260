"""The reading half of the catalogue: lists and searches of videos, and what a person may have
meant."""

import json
import re
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from headwater.catalog.rows import CataloguedVideo, entry_of
from headwater.catalog.words import fold, match_query
from headwater.wire.ids import HASH_BYTES, NodeId, VideoId

__all__ = ["Found", "resolve", "search"]

SCANNED_ROWS = 20_000
"""How many of the newest entries a search for a part of a word looks through: about 10 ms."""
RANKED_MATCHES = 1000
"""More matches than this are listed newest first: ranking them takes longer and says little."""
COUNTED_MATCHES = 50_000
"""More matches than this are not counted: about 25 ms."""
BOUND_VIDEOS = 30_000
"""As many ids as every SQLite takes as parameters; more cost a look at every entry."""
MAX_RESOLVED = 20
_LINK = re.compile(r"headwater://video/([0-9a-fA-F]+)\W*", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]{6,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    total: int
    """How many there are in all."""
    videos: list[CataloguedVideo]


def search(
    connection: sqlite3.Connection,
    text: str,
    *,
    limit: int,
    offset: int,
    channel: NodeId | None,
    videos: Collection[VideoId] | None,
) -> Found:
    """What has all the words, best first; without words everything, newest first."""
    scope, values = _scope(channel, videos)
    page = (max(0, min(limit, 1000)), max(0, min(offset, 2**31)))
    if not fold(text):
        return _found(connection, f"item WHERE {scope}", values, "created DESC, id DESC", page)
    if match := match_query(text):
        found = _matching(connection, match, scope, values, page)
        if found.total:
            return found
    # Nothing begins with these words: a part of a word, or signs such as an emoji.
    newest = f"SELECT id, label FROM item WHERE {scope} ORDER BY created DESC LIMIT {SCANNED_ROWS}"
    among = f"SELECT id FROM ({newest}) WHERE instr(label, ?)"
    source = f"item WHERE {scope} AND +id IN ({among})"
    folded = [*values, *values, fold(text)]
    return _found(connection, source, folded, "created DESC, id DESC", page)


def _matching(
    connection: sqlite3.Connection,
    match: str,
    scope: str,
    values: list[bytes | str],
    page: tuple[int, int],
) -> Found:
    """The best first when they are few, the newest first when they are many."""
    (matches,) = connection.execute(
        "SELECT count(*) FROM words WHERE words MATCH ?", (match,)
    ).fetchone()
    if matches <= RANKED_MATCHES:
        source = f"words JOIN item ON item.id = words.rowid WHERE words MATCH ? AND {scope}"
        return _found(connection, source, [match, *values], "rank, created DESC", page)
    among = f"SELECT rowid FROM words WHERE words MATCH ? LIMIT {COUNTED_MATCHES}"
    # The plus keeps SQLite from looking up each match: it walks the list in order and stops early.
    source = f"item WHERE {scope} AND +id IN ({among})"
    return _found(connection, source, [*values, match], "created DESC, id DESC", page)


def resolve(connection: sqlite3.Connection, text: str) -> list[CataloguedVideo]:
    """By link, id or its first digits, exact title, or loose words; several when it is
    ambiguous."""
    text = text.strip()
    link = _LINK.fullmatch(text)
    digits = link[1] if link else text
    if _HEX.fullmatch(digits) and (found := _by_id(connection, digits)):
        return found
    if link:
        return []
    rows = connection.execute(
        "SELECT author, body FROM item WHERE label = ? AND chosen = 1 AND label != '' LIMIT ?",
        (fold(text), MAX_RESOLVED),
    ).fetchall()
    if rows or not text:
        return [entry_of(row) for row in rows]
    return search(connection, text, limit=MAX_RESOLVED, offset=0, channel=None, videos=None).videos


def _by_id(connection: sqlite3.Connection, digits: str) -> list[CataloguedVideo]:
    low = bytes.fromhex(digits.ljust(2 * HASH_BYTES, "0"))
    high = bytes.fromhex(digits.ljust(2 * HASH_BYTES, "f"))
    rows = connection.execute(
        "SELECT author, body FROM item WHERE video BETWEEN ? AND ? AND chosen = 1 LIMIT ?",
        (low, high, MAX_RESOLVED),
    )
    return [entry_of(row) for row in rows]


def _scope(
    channel: NodeId | None, videos: Collection[VideoId] | None
) -> tuple[str, list[bytes | str]]:
    """A channel shows all its own entries, everybody's list one entry a video."""
    scope, values = "chosen = 1", list[bytes | str]()
    if channel is not None:
        scope, values = "author = ? AND kind = 'video'", [channel]
    if videos is not None and len(videos) <= BOUND_VIDEOS:
        scope += f" AND video IN ({','.join('?' * len(videos))})"
        values.extend(videos)
    elif videos is not None:
        scope += " AND hex(video) IN (SELECT value FROM json_each(?))"
        values.append(json.dumps([v.hex().upper() for v in videos]))
    return scope, values


def _found(
    connection: sqlite3.Connection,
    source: str,
    values: list[bytes | str],
    order: str,
    page: tuple[int, int],
) -> Found:
    (total,) = connection.execute(f"SELECT count(*) FROM {source}", values).fetchone()
    rows = connection.execute(
        f"SELECT author, body FROM {source} ORDER BY {order} LIMIT ? OFFSET ?", [*values, *page]
    )
    return Found(total, [entry_of(row) for row in rows])
