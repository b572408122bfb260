"""What the node writes down about itself when there is no room for it: said later, not lost."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.catalog.bounds import Bounds
from headwater.catalog.catalogue import Catalogue
from headwater.errors import StorageFull
from headwater.node.records import Records
from headwater.node.shares_index import Folder, Record, SharesIndex
from headwater.wire.ids import VideoId
from headwater.wire.items import Holding, Item, NodeRecord

VIDEO = VideoId(bytes(range(32)))


def test_changes_that_find_no_room_are_written_with_the_next(tmp_path: Path) -> None:
    database = tmp_path / "shares.db"
    long = [tmp_path / (f"{n:03}" * 80) for n in range(60)]
    with closing(SharesIndex(database)) as index:
        index.put(tmp_path / "early", Record(problem="early"))
        connection: sqlite3.Connection = index._database
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        for path in long:
            index.put(path, Record(problem="no room"))
        index.put(long[0], Record(problem="newer"))
        index.drop(tmp_path / "early")
        connection.execute("PRAGMA max_page_count = 100000")
        index.put_folder(tmp_path, Folder())
        assert set(index.files()) == set(long)
    with closing(SharesIndex(database)) as index:
        assert index.files()[long[0]].problem == "newer"
        assert set(index.folders()) == {tmp_path}


def test_what_could_not_be_announced_is_when_there_is_room(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.db", lambda: 1, Bounds())
    full, said = True, asyncio.Event()

    def publish(items: Sequence[Item]) -> None:
        if full:
            raise StorageFull("the disk is full")
        catalogue.add(items)
        if any(isinstance(item.body, Holding) for item in items):
            said.set()

    def describe(version: int) -> NodeRecord:
        return NodeRecord(version, "a node", ())

    records = Records(Ed25519PrivateKey.generate(), catalogue, describe, lambda: 1, publish)
    records.announce(VIDEO, "partial")
    records.announce(VIDEO, "whole")
    full = False

    async def scenario() -> None:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            running = group.create_task(records.run())
            await said.wait()
            running.cancel()

    asyncio.run(scenario())
    assert catalogue.holders(VIDEO).whole == (records.own().author,)
    catalogue.close()
