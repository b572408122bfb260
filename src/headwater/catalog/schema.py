"""The catalogue's SQLite file: its tables, how it is opened, and what happens when it is
damaged or the disk is full."""

import logging
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from headwater.catalog.rows import is_readable
from headwater.errors import Conflict, StorageFull

__all__ = ["connect", "is_damage", "prepare", "writing"]

log = logging.getLogger(__name__)

_VERSION = 2
_TABLES = """
CREATE TABLE item (
    id        INTEGER PRIMARY KEY,
    key       BLOB NOT NULL,
    version   INTEGER NOT NULL,
    digest    BLOB NOT NULL,
    author    BLOB NOT NULL,
    kind      TEXT NOT NULL,              -- the tag of the body: video, retract, hold
    video     BLOB NOT NULL,
    body      BLOB NOT NULL,
    signature BLOB NOT NULL,
    created   INTEGER NOT NULL DEFAULT 0, -- of a video: its age in lists, ms since 1970
    label     TEXT NOT NULL DEFAULT '',   -- of a video: its title, folded; of a holding: its state
    chosen    INTEGER NOT NULL DEFAULT 0  -- 1 for the one entry that stands for its video
);
-- Unique by key alone: the writer sees to it. Version and digest ride along, so that anti-entropy
-- and the check for news read this index only.
CREATE INDEX item_key ON item (key, version, digest);
CREATE INDEX item_video ON item (video, kind);
CREATE INDEX item_author ON item (author, kind, created);
CREATE INDEX item_chosen ON item (created, label) WHERE chosen = 1;
CREATE INDEX item_label ON item (label) WHERE chosen = 1;
CREATE VIRTUAL TABLE words USING fts5 (
    text, tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'", prefix = '1 2 3'
);
CREATE TABLE address (
    node      BLOB PRIMARY KEY,
    addresses TEXT NOT NULL,              -- JSON list
    name      TEXT NOT NULL,
    heard_ms  INTEGER NOT NULL
) WITHOUT ROWID;
"""


_FROM_1 = """
DROP INDEX IF EXISTS item_chosen;
CREATE INDEX item_chosen ON item (created, label) WHERE chosen = 1;
"""
"""Two development versions called themselves 1: one without names in `address`."""
_ADD_NAME = "ALTER TABLE address ADD COLUMN name TEXT NOT NULL DEFAULT ''"

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, rather than the disk full or the file locked."""
    return error.sqlite_errorcode & 0xFF in _DAMAGE


@contextmanager
def writing() -> Iterator[None]:
    """Around what writes. Raises: StorageFull when SQLite cannot, be it for room or a failing
    disk."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageFull(f"the state folder cannot be written: {error}; free room") from error


def connect(database: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection for one thread at a time, in autocommit mode."""
    connection = sqlite3.connect(
        database, timeout=10, isolation_level=None, check_same_thread=False
    )
    # WAL with NORMAL survives kill -9 whole; a power cut may lose the last commits, never the
    # file, and the mesh gives them back.
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def prepare(database: Path) -> sqlite3.Connection:
    """The writing connection, tables in place. What an older version wrote is brought up to date.
    A file that is damaged or unknown is moved aside: the mesh has it all.

    Raises: Conflict when a newer Headwater wrote the file; StorageFull.
    """
    try:
        return _open(database)
    except _Unknown as error:
        _move_aside(database, "old", error)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        _move_aside(database, "damaged", error)
    return _open(database)


class _Unknown(Exception):
    """No version of ours wrote these tables."""


def _move_aside(database: Path, why: str, error: Exception) -> None:
    aside = database.with_name(f"{database.name}.{why}")
    log.warning("catalog.moved_aside", extra={"moved_to": str(aside), "reason": str(error)})
    database.replace(aside)
    for rest in ("-wal", "-shm"):
        database.with_name(database.name + rest).unlink(missing_ok=True)


def _open(database: Path) -> sqlite3.Connection:
    with writing():
        connection = connect(database)
        try:
            _create_tables(connection, database)
        except BaseException:
            connection.close()
            raise
        return connection


def _create_tables(connection: sqlite3.Connection, database: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        raise Conflict(
            f"{database} was written by a newer Headwater (version {version}): update this one"
        )
    if version == 0:
        connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT")
    elif version < _VERSION:
        _migrate(connection)


def _migrate(connection: sqlite3.Connection) -> None:
    """All or nothing. Raises: _Unknown."""
    try:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(address)")}
        add_name = "" if "name" in columns else f"{_ADD_NAME};"
        forget = _forgetting(_unreadable(connection))
        connection.executescript(
            f"BEGIN; {_FROM_1} {add_name} {forget} PRAGMA user_version = {_VERSION}; COMMIT"
        )
    except sqlite3.OperationalError as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # no room, perhaps
            raise
        raise _Unknown(str(error)) from error


def _unreadable(connection: sqlite3.Connection) -> list[bytes]:
    """The videos of which an item is none by today's rules."""
    found = connection.execute("SELECT video, body FROM item")
    return [video for video, body in found if not is_readable(body)]


def _forgetting(videos: Iterable[bytes]) -> str:
    """All items of these: those of other authors come again."""
    among = ", ".join(f"x'{video.hex()}'" for video in set(videos))
    return (
        f"DELETE FROM words WHERE rowid IN (SELECT id FROM item WHERE video IN ({among}));"
        f"DELETE FROM item WHERE video IN ({among});"
    )
