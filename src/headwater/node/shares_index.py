"""What this node shares, remembered across restarts so that no known file is ever hashed again."""

import logging
import os
import sqlite3
from pathlib import Path

import msgspec
from msgspec import Struct

from headwater.catalog.schema import is_damage, writing
from headwater.errors import StorageFull
from headwater.store.manifest import Stamp
from headwater.wire.frames import MALFORMED
from headwater.wire.items import VideoEntry

__all__ = ["Record", "SharesIndex"]

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folders (path BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


class Record(Struct, frozen=True, omit_defaults=True):
    """One file: what it was when it was last looked at, and what became of that."""

    stamp: Stamp | None = None
    """None: never read, or to be read again."""
    entry: VideoEntry | None = None
    """As it was last published."""
    is_published: bool = False
    is_prepared: bool = False
    """The entry is about a copy made from the file, which the store owns."""
    is_asked: bool = False
    """Shared by itself, not only as part of a folder."""
    is_excluded: bool = False
    """Taken back by the person: a folder around it does not bring it up again."""
    is_stale: bool = False
    """What lies beside the file has changed (subtitles): to be told anew, not hashed anew."""
    problem: str = ""
    title: str = ""
    """As the person gave it, or empty."""
    prepare: bool | None = None
    """As the person gave it; None: as the node's setting has it."""


class _Wish(Struct, frozen=True):
    """The part of a record that only the person can say; the rest is found out again."""

    is_asked: bool = False
    is_excluded: bool = False
    title: str = ""
    prepare: bool | None = None


class Folder(Struct, frozen=True, omit_defaults=True):
    prepare: bool | None = None


_encoder = msgspec.msgpack.Encoder()
_record = msgspec.msgpack.Decoder(Record)
_wish = msgspec.msgpack.Decoder(_Wish)
_folder = msgspec.msgpack.Decoder(Folder)


class SharesIndex:
    """A small SQLite file. Paths are kept as the file system spells them.

    What a full disk refuses is written with the next change, or at the end. Raises: StorageFull
    when it cannot be opened for that."""

    def __init__(self, database: Path) -> None:
        self.moved_aside: Path | None = None
        """Where a damaged file lies now, in whose place an empty one was begun."""
        try:
            self._database = _open(database)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self.moved_aside = database.with_name(f"{database.name}.damaged")
            database.replace(self.moved_aside)
            for rest in ("-wal", "-shm"):
                database.with_name(database.name + rest).unlink(missing_ok=True)
            self._database = _open(database)
        self._unwritten: dict[tuple[str, bytes], bytes | None] = {}

    def close(self) -> None:
        self._write_all()
        self._database.close()

    def files(self) -> dict[Path, Record]:
        rows = self._database.execute("SELECT path, record FROM files")
        return {Path(os.fsdecode(path)): _record_of(raw) for path, raw in rows}

    def folders(self) -> dict[Path, Folder]:
        rows = self._database.execute("SELECT path, record FROM folders")
        return {Path(os.fsdecode(path)): _folder.decode(raw) for path, raw in rows}

    def put(self, path: Path, record: Record) -> None:
        self._write("files", path, _encoder.encode(record))

    def put_folder(self, path: Path, folder: Folder) -> None:
        self._write("folders", path, _encoder.encode(folder))

    def drop(self, path: Path) -> None:
        self._write("files", path, None)

    def drop_folder(self, path: Path) -> None:
        self._write("folders", path, None)

    def _write(self, table: str, path: Path, record: bytes | None) -> None:
        self._unwritten[table, os.fsencode(path)] = record
        self._write_all()

    def _write_all(self) -> None:
        try:
            with writing():
                for (table, path), record in list(self._unwritten.items()):
                    if record is None:
                        self._database.execute(f"DELETE FROM {table} WHERE path = ?", (path,))
                    else:
                        insert = f"INSERT OR REPLACE INTO {table} VALUES (?, ?)"
                        self._database.execute(insert, (path, record))
                    del self._unwritten[table, path]
        except StorageFull as error:
            waiting = len(self._unwritten)
            log.warning("shares.not_noted", extra={"changes": waiting, "reason": str(error)})


def _record_of(raw: bytes) -> Record:
    """Of what an older version wrote and today's rules refuse, what the person wished remains."""
    try:
        return _record.decode(raw)
    except MALFORMED as error:
        log.warning("shares.record_unreadable", extra={"reason": str(error)})
    try:
        return Record(**msgspec.structs.asdict(_wish.decode(raw)))
    except MALFORMED:
        return Record()


def _open(path: Path) -> sqlite3.Connection:
    with writing():
        database = sqlite3.connect(path, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(_SCHEMA)
        except sqlite3.Error:
            database.close()
            raise
        return database
