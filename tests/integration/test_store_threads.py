"""Many threads on one video: every byte right, every piece told once, nothing counted twice."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_samples import Sample, make_sample

from headwater.errors import NotFound
from headwater.node.config import StoreConfig
from headwater.store.gate import Gate
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.store.sync import Syncer
from headwater.wire.ids import BLOCK_BYTES

BLOCKS = 256
THREADS = 6


@pytest.fixture
def sample() -> Sample:
    return make_sample(BLOCKS * BLOCK_BYTES - 99)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path, StoreConfig(reserve_bytes=0))
    yield store
    store.close()


@pytest.fixture
def stored(store: Store, sample: Sample) -> StoredVideo:
    torrent = sample.torrent
    return store.begin(torrent.video, torrent.shape, torrent.pieces_root)


def run(work: Callable[[random.Random], list[int]]) -> list[int]:
    with ThreadPoolExecutor(THREADS) as pool:
        results = pool.map(work, map(random.Random, range(THREADS)))
        return [item for result in results for item in result]


def test_overlapping_writes_tell_each_piece_once(
    store: Store, stored: StoredVideo, sample: Sample
) -> None:
    def write_all(chance: random.Random) -> list[int]:
        whole = []
        starts = list(range(0, BLOCKS, 3))
        chance.shuffle(starts)
        for first in starts:
            count = min(chance.randint(3, 9), BLOCKS - first)
            payload, leaves = sample.blocks(first, count), sample.leaves_of(first, count)
            whole += stored.write(first, payload, leaves)
        return whole

    assert sorted(run(write_all)) == list(range(sample.shape.pieces))
    assert stored.is_whole
    assert stored.verified_read(0, BLOCKS) == sample.payload
    assert store.used_bytes == BLOCKS * BLOCK_BYTES


def test_readers_beside_writers_and_givers_see_right_bytes_or_none(
    store: Store, stored: StoredVideo, sample: Sample
) -> None:
    def churn(chance: random.Random) -> list[int]:
        wrong = []
        for _ in range(300):
            piece = chance.randrange(sample.shape.pieces)
            blocks = sample.shape.blocks_of(piece)
            first, count = blocks.start, len(blocks)
            match chance.randrange(4):
                case 0:
                    stored.give_back(range(piece, piece + 1))
                case 1:
                    stored.write(first, sample.blocks(first, count), sample.leaves_of(first, count))
                case 2:
                    stored.sync()
                case _:
                    try:
                        if stored.read(first, count) != sample.blocks(first, count):
                            wrong.append(piece)
                    except NotFound:
                        pass
        return wrong

    assert run(churn) == []
    assert store.used_bytes == stored.have_blocks * BLOCK_BYTES
    for gap in stored.missing(0, BLOCKS):
        stored.write(
            gap.start, sample.blocks(gap.start, len(gap)), sample.leaves_of(gap.start, len(gap))
        )
    assert stored.verified_read(0, BLOCKS) == sample.payload


def test_a_video_removed_under_its_users_is_simply_not_there(
    store: Store, stored: StoredVideo, sample: Sample
) -> None:
    started = threading.Semaphore(0)

    def use_until_gone(chance: random.Random) -> list[int]:
        try:
            while True:
                first = chance.randrange(BLOCKS)
                stored.write(first, sample.blocks(first, 1), sample.leaves_of(first, 1))
                stored.read(first, 1)
                started.release()
        except NotFound:
            return [1]

    def remove() -> None:
        for _ in range(20):
            started.acquire()
        store.remove(sample.torrent.video)

    remover = threading.Thread(target=remove)
    remover.start()
    assert run(use_until_gone) == [1] * THREADS
    remover.join()
    assert (store.videos(), store.used_bytes) == ([], 0)
    assert not stored.path.exists()


class Dirty:
    """Counts its syncs; the first one fails."""

    def __init__(self) -> None:
        self.syncs, self.synced = 0, threading.Event()

    def sync(self) -> None:
        self.syncs += 1
        if self.syncs == 1:
            raise OSError(5, "Input/output error")
        self.synced.set()


def test_what_was_written_is_synced_later_and_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    syncer, dirty = Syncer(interval_s=0.001), Dirty()
    while not dirty.synced.is_set():
        syncer.note(dirty)
        dirty.synced.wait(0.01)
    assert "store.sync_failed" in caplog.text
    syncer.close()
    late = Dirty()
    late.syncs = 1
    patient = Syncer(interval_s=3600)
    patient.note(late)
    patient.note(late)
    patient.close()
    assert late.syncs == 2


def test_what_still_uses_a_removed_video_leaves_its_successor_alone(
    store: Store, stored: StoredVideo, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    torrent = sample.torrent
    stored.write(0, sample.payload, sample.leaves)
    successors = []

    def remove_and_begin(_: int) -> None:
        monkeypatch.undo()
        store.remove(torrent.video)
        successors.append(store.begin(torrent.video, torrent.shape, torrent.pieces_root))

    monkeypatch.setattr("headwater.store.content.datasync", remove_and_begin)
    stored.sync()
    stored.give_back(range(1))
    with pytest.raises(NotFound):
        stored.attach(torrent)
    with pytest.raises(NotFound):
        stored.verified_read(0, 1)
    folder = stored.path.parent
    assert sorted(file.name for file in folder.iterdir()) == [
        *("content", "have", "leaves", "manifest")
    ]
    assert successors[0].have_blocks == store.used_bytes == 0


def test_whoever_wants_the_gate_alone_waits_for_all_and_holds_off_newcomers() -> None:
    gate, order = Gate(), list[str]()
    inside = threading.Event()

    def alone() -> None:
        inside.set()
        with gate.alone:
            order.append("alone")

    def newcomer() -> None:
        with gate.shared:
            order.append("newcomer")

    threads = [threading.Thread(target=alone), threading.Thread(target=newcomer)]
    with gate.shared:
        threads[0].start()
        assert inside.wait(10)
        while not gate._waiting_alone:
            pass
        threads[1].start()
        order.append("first")
    for thread in threads:
        thread.join(10)
    assert order == ["first", "alone", "newcomer"]
