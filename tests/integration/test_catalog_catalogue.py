"""The catalogue on disk: what is taken, what is shown, and what a restart or a crash leaves."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog_samples import NOW_MS, Author, Clock, video_id

from headwater.catalog.bounds import Bounds
from headwater.catalog.catalogue import Catalogue, Holders
from headwater.errors import Conflict, StorageFull
from headwater.wire.items import Item, NodeRecord, VideoEntry, item_key

ANNA, BEN, CARA = Author(1), Author(2), Author(3)
DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalogue(tmp_path: Path, clock: Clock) -> Iterator[Catalogue]:
    opened = Catalogue(tmp_path / "catalogue.db", clock)
    yield opened
    opened.close()


def _titles(catalogue: Catalogue, words: str = "") -> list[str]:
    return [v.entry.title for v in catalogue.search(words).videos]


# Replacement


def test_a_newer_item_replaces_the_older_in_either_order(catalogue: Catalogue) -> None:
    old, new = ANNA.entry(1, title="Old"), ANNA.entry(1, title="New", version=NOW_MS + 1)
    assert catalogue.add([new]) == [new]
    assert catalogue.add([old]) == []
    assert _titles(catalogue) == ["New"]
    assert catalogue.add([ANNA.entry(2, title="Old"), ANNA.entry(2, version=NOW_MS + 1)])
    assert _titles(catalogue, "old") == []
    assert catalogue.add([new]) == [], "nor does the same item twice"


def test_of_equal_versions_the_same_one_wins_everywhere(tmp_path: Path, clock: Clock) -> None:
    twins = [ANNA.entry(1, title="One"), ANNA.entry(1, title="Two")]
    found = []
    for name, order in (("a", twins), ("b", twins[::-1])):
        catalogue = Catalogue(tmp_path / name, clock)
        catalogue.add(order[:1])
        catalogue.add(order[1:])
        found.append(catalogue.search("").videos[0].entry.title)
        catalogue.close()
    assert found[0] == found[1]


def test_the_next_version_is_later_than_now_and_than_the_known_one(
    catalogue: Catalogue, clock: Clock
) -> None:
    item = ANNA.entry(1, version=NOW_MS + 5000)
    assert catalogue.next_version(item.key) == NOW_MS
    catalogue.add([item])
    assert catalogue.next_version(item.key) == NOW_MS + 5001
    record = ANNA.record(version=NOW_MS + 9)
    catalogue.add([record])
    clock.now_ms += 10**6  # expired by now, but still the last that others saw
    assert catalogue.next_version(record.key) == NOW_MS + 10**6
    clock.now_ms = NOW_MS
    assert catalogue.next_version(record.key) == NOW_MS + 10


# Retraction, several channels, holders


def test_a_retraction_hides_the_entry_and_a_newer_entry_brings_it_back(
    catalogue: Catalogue,
) -> None:
    catalogue.add([ANNA.entry(1)])
    catalogue.add([ANNA.retraction(1)])
    assert catalogue.entry(video_id(1)) is None
    assert catalogue.search("video").total == catalogue.search("").total == 0
    assert catalogue.add([ANNA.entry(1)]) == [], "what was retracted does not come back by itself"
    catalogue.add([ANNA.entry(1, version=NOW_MS + 2)])
    assert catalogue.entry(video_id(1)) is not None


def test_a_retraction_that_comes_first_keeps_the_entry_out(catalogue: Catalogue) -> None:
    catalogue.add([ANNA.retraction(1)])
    assert catalogue.add([ANNA.entry(1)]) == []
    assert catalogue.search("").total == 0


def test_of_several_channels_the_oldest_entry_stands_for_the_video(catalogue: Catalogue) -> None:
    catalogue.add([BEN.entry(1, title="Ben's", created_ms=NOW_MS - 10)])
    catalogue.add([ANNA.entry(1, title="Anna's", created_ms=NOW_MS - 20)])
    catalogue.add([CARA.entry(1, title="Cara's", created_ms=NOW_MS - 20)])
    first = min(ANNA.id, CARA.id)
    entry = catalogue.entry(video_id(1))
    assert entry is not None
    assert entry.channel == first
    assert catalogue.search("").total == 1, "and it is listed once"
    assert [v.channel for v in catalogue.search("", channel=BEN.id).videos] == [BEN.id]
    assert [v.channel for v in catalogue.search("ben", channel=BEN.id).videos] == [BEN.id]


def test_one_channels_retraction_leaves_the_others_entry(catalogue: Catalogue) -> None:
    catalogue.add([ANNA.entry(1, created_ms=1), BEN.entry(1, created_ms=2)])
    catalogue.add([ANNA.retraction(1)])
    entry = catalogue.entry(video_id(1))
    assert entry is not None
    assert entry.channel == BEN.id
    assert catalogue.search("").total == 1
    catalogue.add([BEN.retraction(1)])
    assert catalogue.entry(video_id(1)) is None


def test_holders_are_the_publishers_and_whoever_says_so(catalogue: Catalogue) -> None:
    catalogue.add([ANNA.entry(1), BEN.holding(1), CARA.holding(1, "partial")])
    assert catalogue.holders(video_id(1)) == Holders((ANNA.id, BEN.id), (CARA.id,))
    catalogue.add([BEN.holding(1, "gone", NOW_MS + 1), CARA.holding(1, "whole", NOW_MS + 1)])
    assert catalogue.holders(video_id(1)) == Holders((ANNA.id, CARA.id), ())


def test_what_a_publisher_says_of_itself_counts_for_more_than_its_entry(
    catalogue: Catalogue,
) -> None:
    catalogue.add([ANNA.entry(1), ANNA.holding(1, "gone")])
    assert catalogue.holders(video_id(1)) == Holders()


def test_an_entry_without_a_node_names_no_holder(catalogue: Catalogue) -> None:
    catalogue.add([ANNA.entry(1, node=bytes(32))])
    assert catalogue.holders(video_id(1)) == Holders()


def test_a_holding_may_come_before_its_entry(catalogue: Catalogue) -> None:
    assert catalogue.add([BEN.holding(1)])
    assert catalogue.holders(video_id(1)) == Holders((BEN.id,))
    assert catalogue.entry(video_id(1)) is None
    assert catalogue.search("").total == 0


# Bounds


def test_an_author_has_so_many_items_and_not_one_more(tmp_path: Path, clock: Clock) -> None:
    catalogue = Catalogue(tmp_path / "c.db", clock, Bounds(items_per_author=3))
    items = [ANNA.entry(n) for n in range(5)]
    assert catalogue.add(items) == items[:3]
    admission = catalogue.admit([items[4], BEN.entry(9)])
    assert (admission.refused, admission.taken) == ([items[4]], [BEN.entry(9)])
    newer = ANNA.entry(0, version=NOW_MS + 1)
    assert catalogue.add([newer]) == [newer], "what it has can still change"
    assert catalogue.add([ANNA.retraction(0, NOW_MS + 2)])
    assert catalogue.judge(ANNA.holding(7)) == "refused"
    catalogue.close()
    catalogue = Catalogue(tmp_path / "c.db", clock, Bounds(items_per_author=3))
    assert catalogue.add([items[4]]) == [], "the count survives a restart"
    catalogue.close()


def test_there_are_so_many_items_in_all(tmp_path: Path, clock: Clock) -> None:
    catalogue = Catalogue(tmp_path / "c.db", clock, Bounds(items=2))
    authors = [Author(n) for n in range(10, 14)]
    assert len(catalogue.add([a.entry(1) for a in authors])) == 2
    assert catalogue.add([authors[0].entry(1, version=NOW_MS + 1)])
    catalogue.close()


def test_a_version_too_far_ahead_is_refused(catalogue: Catalogue) -> None:
    at_bound, beyond = (
        ANNA.entry(1, version=NOW_MS + DAY_MS),
        ANNA.entry(2, version=NOW_MS + DAY_MS + 1),
    )
    admission = catalogue.admit([at_bound, beyond])
    assert (admission.taken, admission.refused) == ([at_bound], [beyond])
    ahead = BEN.record(version=NOW_MS + DAY_MS + 1)
    assert catalogue.admit([ahead]).refused == [ahead]


def test_what_is_gone_for_long_is_forgotten_and_not_taken_again(
    tmp_path: Path, clock: Clock
) -> None:
    catalogue = Catalogue(tmp_path / "c.db", clock)
    gone, here = ANNA.holding(1, "gone"), BEN.holding(1)
    assert catalogue.add([gone, here]) == [gone, here]
    clock.now_ms += 30 * DAY_MS
    catalogue.close()
    catalogue = Catalogue(tmp_path / "c.db", clock)
    assert catalogue.item(gone.key) is None
    assert catalogue.item(here.key) == here
    assert catalogue.admit([gone]).refused == [gone]
    catalogue.close()


# Nodes


def test_a_node_expires_when_it_is_not_heard_of(catalogue: Catalogue, clock: Clock) -> None:
    record = ANNA.record()
    catalogue.add([record])
    assert catalogue.nodes() == [record]
    assert catalogue.record(ANNA.id) == record.body
    clock.now_ms += 89_999
    assert catalogue.nodes() == [record]
    clock.now_ms += 1
    assert catalogue.nodes() == []
    assert catalogue.record(ANNA.id) is None
    assert catalogue.add([record]) == [], "an old copy does not bring it back"
    renewed = ANNA.record(version=NOW_MS + 1)
    assert catalogue.add([renewed]) == [renewed]
    assert catalogue.nodes() == [renewed]


def test_there_is_room_for_so_many_nodes_and_the_expired_make_room(
    tmp_path: Path, clock: Clock
) -> None:
    catalogue = Catalogue(tmp_path / "c.db", clock, Bounds(nodes=2))
    authors = [Author(n) for n in range(10, 13)]
    assert len(catalogue.add([a.record() for a in authors])) == 2
    assert catalogue.add([authors[0].record(version=NOW_MS + 1)]), "one that is known is renewed"
    clock.now_ms += 90_000
    assert len(catalogue.add([authors[2].record()])) == 1
    catalogue.close()


def test_addresses_survive_a_restart_the_last_heard_first(tmp_path: Path, clock: Clock) -> None:
    bounds = Bounds(addresses=2)
    catalogue = Catalogue(tmp_path / "c.db", clock, bounds)
    for number, author in enumerate((ANNA, BEN, CARA)):
        clock.now_ms += 1
        catalogue.add([author.record(addresses=(f"127.0.0.1:{number}", "[::1]:9"))])
    catalogue.add([Author(9).record(addresses=())])
    catalogue.close()
    catalogue = Catalogue(tmp_path / "c.db", clock, bounds)
    assert catalogue.nodes() == []
    assert catalogue.known_addresses() == [
        (CARA.id, ("127.0.0.1:2", "[::1]:9")),
        (BEN.id, ("127.0.0.1:1", "[::1]:9")),
    ]
    catalogue.close()


def test_a_node_is_called_what_it_was_called_last(tmp_path: Path, clock: Clock) -> None:
    catalogue = Catalogue(tmp_path / "c.db", clock)
    assert catalogue.last_name(ANNA.id) == ""
    catalogue.add([ANNA.record(name="laptop")])
    catalogue.add([ANNA.record(name="Anna's laptop", version=NOW_MS + 1)])
    clock.now_ms += 10**9
    catalogue.close()
    catalogue = Catalogue(tmp_path / "c.db", clock)
    assert catalogue.last_name(ANNA.id) == "Anna's laptop"
    catalogue.close()


def test_a_heartbeat_writes_nothing(tmp_path: Path, clock: Clock) -> None:
    catalogue = Catalogue(tmp_path / "c.db", clock)
    catalogue.add([ANNA.record()])
    before = (tmp_path / "c.db-wal").stat().st_size
    for second in range(1, 10):
        clock.now_ms = NOW_MS + 25_000 * second
        assert catalogue.add([ANNA.record(version=clock.now_ms)])
    assert (tmp_path / "c.db-wal").stat().st_size == before
    catalogue.close()


# What sync compares


def test_the_sums_follow_every_change_and_come_back_after_a_restart(
    tmp_path: Path, clock: Clock
) -> None:
    catalogue = Catalogue(tmp_path / "c.db", clock)
    assert catalogue.buckets() == bytes(2048)
    items = [ANNA.entry(n) for n in range(50)] + [BEN.holding(n) for n in range(50)]
    catalogue.add(items)
    full = catalogue.buckets()
    catalogue.add([ANNA.retraction(1)])
    changed = catalogue.buckets()
    assert changed != full
    ranks = [rank for bucket in range(256) for rank in catalogue.ranks(bucket)]
    assert len(ranks) == 100
    assert all(rank.key[0] == b for b in range(256) for rank in catalogue.ranks(b))
    assert {s.body for s in catalogue.signed([i.key for i in items[2:4]])} == {
        i.signed.body for i in items[2:4]
    }
    catalogue.add([ANNA.record()])
    assert catalogue.buckets() == changed, "heartbeats are no part of it"
    catalogue.close()
    catalogue = Catalogue(tmp_path / "c.db", clock)
    assert catalogue.buckets() == changed
    assert catalogue.item(items[0].key) == items[0]
    catalogue.close()


def test_a_batch_that_fails_leaves_nothing_behind(catalogue: Catalogue) -> None:
    class Failing(list[Item]):
        def __iter__(self) -> Iterator[Item]:
            yield ANNA.entry(1)
            raise KeyboardInterrupt

    before = catalogue.buckets()
    with pytest.raises(KeyboardInterrupt):
        catalogue._ledger.admit(Failing())
    assert catalogue.buckets() == before
    assert catalogue.search("").total == 0
    assert catalogue.add([ANNA.entry(1)])


# Files


def test_a_full_disk_is_told_and_leaves_what_was_there(catalogue: Catalogue) -> None:
    """As SQLite does it when there is no room for one page more."""
    catalogue.add([ANNA.entry(1)])
    before = catalogue.buckets()
    writer = catalogue._ledger._connection
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFull, match="free room"):
        catalogue.add([ANNA.entry(n, title=f"{n} " * 60) for n in range(2, 90)])
    assert catalogue.buckets() == before
    assert catalogue.add([BEN.record()])  # who is near is heard all the same
    writer.execute("PRAGMA max_page_count = 1000000")
    assert catalogue.add([ANNA.entry(2)])


def test_two_threads_write_while_a_third_reads(catalogue: Catalogue) -> None:
    authors = [Author(n) for n in range(20, 22)]
    batches = [[a.entry(n) for n in range(100 * i, 100 * i + 200)] for i, a in enumerate(authors)]
    writers = [threading.Thread(target=catalogue.add, args=(batch,)) for batch in batches]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        catalogue.search("video")
        catalogue.buckets()
    for writer in writers:
        writer.join()
    assert catalogue.search("").total == 300, "100 of them are the same videos"


def test_a_damaged_file_is_moved_aside(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "c.db").write_bytes(random.Random(1).randbytes(20_000))
    catalogue = Catalogue(tmp_path / "c.db", clock)
    assert catalogue.add([ANNA.entry(1)])
    catalogue.close()
    assert (tmp_path / "c.db.damaged").exists()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path, clock: Clock) -> None:
    with sqlite3.connect(tmp_path / "c.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(Conflict, match="newer Headwater"):
        Catalogue(tmp_path / "c.db", clock)


_WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from catalog_samples import Author, Clock
from headwater.catalog.catalogue import Catalogue
catalogue, author, number = Catalogue(Path(sys.argv[1]), Clock()), Author(1), 0
while True:
    catalogue.add([author.entry(n) for n in range(number, number + 7)])
    number += 7
    print(number, flush=True)
"""


def test_after_kill_9_all_that_was_added_is_there(tmp_path: Path, clock: Clock) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "c.db"), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        added = [int(writer.stdout.readline()) for _ in range(20)][-1]
        os.kill(writer.pid, signal.SIGKILL)
    catalogue = Catalogue(tmp_path / "c.db", clock)
    total = catalogue.search("").total
    assert total >= added
    assert total % 7 == 0, "and no part of a batch"
    assert catalogue.search("video").total == total
    keys = {item_key(VideoEntry, ANNA.id, video_id(n)) for n in range(total)}
    assert {r.key for b in range(256) for r in catalogue.ranks(b)} == keys
    catalogue.close()


def test_an_unknown_node_has_no_record(catalogue: Catalogue) -> None:
    assert catalogue.record(ANNA.id) is None
    assert catalogue.item(item_key(NodeRecord, ANNA.id)) is None
