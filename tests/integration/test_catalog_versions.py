"""A catalogue that an older version wrote: opened, brought up to date, or begun anew."""

import sqlite3
from pathlib import Path

import pytest
from catalog_samples import NOW_MS, Author, Clock

from headwater.catalog.catalogue import Catalogue
from headwater.catalog.rows import values_of
from headwater.catalog.words import fold, spread
from headwater.wire.items import Item

ANNA, BEN = Author(1), Author(2)

ITEMS = """
CREATE TABLE item (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, version INTEGER NOT NULL, digest BLOB NOT NULL,
    author BLOB NOT NULL, kind TEXT NOT NULL, video BLOB NOT NULL, body BLOB NOT NULL,
    signature BLOB NOT NULL, created INTEGER NOT NULL DEFAULT 0, label TEXT NOT NULL DEFAULT '',
    chosen INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX item_key ON item (key, version, digest);
CREATE INDEX item_video ON item (video, kind);
CREATE INDEX item_author ON item (author, kind, created);
CREATE INDEX item_chosen ON item (created) WHERE chosen = 1;
CREATE INDEX item_label ON item (label) WHERE chosen = 1;
CREATE VIRTUAL TABLE words USING fts5 (
    text, tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'", prefix = '1 2 3'
);
"""
ADDRESSES = """
CREATE TABLE address (
    node BLOB PRIMARY KEY, addresses TEXT NOT NULL, heard_ms INTEGER NOT NULL
) WITHOUT ROWID;
"""
NAMED = ADDRESSES.replace("heard_ms", "name TEXT NOT NULL, heard_ms")


def _write(path: Path, tables: str, *items: Item, body: bytes | None = None) -> None:
    """As version 1 did; `body` in place of the last item's own."""
    database = sqlite3.connect(path)
    database.executescript(tables)
    for item in items:
        values = list(values_of(item))
        if body is not None and item is items[-1]:
            values[6] = body
        row = database.execute(
            "INSERT INTO item (key, version, digest, author, kind, video, body, signature,"
            " created, label, chosen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
            values,
        ).lastrowid
        words = spread(fold(str(getattr(item.body, "title", ""))))
        database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (row, words))
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()


def _know(path: Path, *columns: str) -> None:
    database = sqlite3.connect(path)
    marks = ", ".join("?" * len(columns))
    database.execute(
        f"INSERT INTO address VALUES (?, ?, {marks})", (BEN.id, '["127.0.0.1:1"]', *columns)
    )
    database.commit()
    database.close()


def _version(path: Path) -> int:
    database = sqlite3.connect(path)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.close()
    return int(version)


@pytest.mark.parametrize("has_names", [False, True])
def test_either_layout_of_version_1_is_kept_and_goes_on(tmp_path: Path, has_names: bool) -> None:
    path = tmp_path / "catalogue.db"
    _write(path, ITEMS + (NAMED if has_names else ADDRESSES), ANNA.entry(1, title="Old film"))
    _know(path, *(["Ben", str(NOW_MS)] if has_names else [str(NOW_MS)]))
    for _ in range(2):  # and so it is the next time
        catalogue = Catalogue(path, Clock())
        assert [v.entry.title for v in catalogue.search("old").videos] == ["Old film"]
        assert catalogue.known_addresses() == [(BEN.id, ("127.0.0.1:1",))]
        assert catalogue.last_name(BEN.id) == ("Ben" if has_names else "")
        catalogue.close()
        assert _version(path) == 2
    catalogue = Catalogue(path, Clock())
    assert catalogue.add([BEN.record(name="Benjamin"), ANNA.entry(2, title="New film")])
    catalogue.close()
    catalogue = Catalogue(path, Clock())
    assert catalogue.last_name(BEN.id) == "Benjamin"
    assert catalogue.search("film").total == 2
    catalogue.close()


def test_what_todays_rules_refuse_is_forgotten_and_may_come_again(tmp_path: Path) -> None:
    path, odd = tmp_path / "catalogue.db", ANNA.entry(2, title="Odd")
    _write(path, ITEMS + ADDRESSES, ANNA.entry(1, title="Good"), odd, body=b"\x81\xa1x\x01")
    catalogue = Catalogue(path, Clock())
    assert [v.entry.title for v in catalogue.search("").videos] == ["Good"]
    assert catalogue.search("odd").total == 0
    assert catalogue.add([odd]) == [odd]
    assert catalogue.search("odd").total == 1
    catalogue.close()


@pytest.mark.parametrize("tables", ["CREATE TABLE address (x);", ITEMS, "CREATE TABLE item (x);"])
def test_tables_that_are_none_of_ours_are_moved_aside(tmp_path: Path, tables: str) -> None:
    path = tmp_path / "catalogue.db"
    _write(path, tables)
    catalogue = Catalogue(path, Clock())
    assert catalogue.add([ANNA.entry(1)])
    assert catalogue.add([BEN.record()])
    catalogue.close()
    assert (path.with_name("catalogue.db.old")).exists()
    assert _version(path) == 2
