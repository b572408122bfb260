"""`kill -9` and power cuts: every claim is true, and nothing that was acknowledged is lost."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import store_writer
from store_samples import Sample, make_sample

from headwater.node.config import StoreConfig
from headwater.store.manifest import Manifest, save_manifest
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.wire.ids import BLOCK_BYTES

KILLS = 14


def _acknowledged_until_killed(root: Path, seed: int, chance: random.Random) -> list[range]:
    """Run the writer and kill it at some moment after its first write."""
    command = [sys.executable, store_writer.__file__, str(root), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(chance.randint(1, 150))]
        writer.kill()
        lines += writer.stdout.readlines()
    assert writer.returncode == -9
    spans = [tuple(map(int, line.split())) for line in lines]
    return [range(first, first + count) for first, count in spans]


def _claimed(stored: StoredVideo) -> set[int]:
    blocks = stored.shape.blocks
    return set(range(blocks)) - {i for gap in stored.missing(0, blocks) for i in gap}


def _wrong(stored: StoredVideo, sample: Sample) -> list[int]:
    return [i for i in _claimed(stored) if stored.read(i, 1) != sample.blocks(i, 1)]


@pytest.mark.timeout(60)
def test_kills_at_any_moment_cost_nothing_acknowledged(tmp_path: Path) -> None:
    sample, chance = store_writer.writer_sample(), random.Random(7)
    promised: set[int] = set()
    for seed in range(KILLS):
        for span in _acknowledged_until_killed(tmp_path, seed * 10, chance):
            promised |= set(span)
        store = Store(tmp_path, StoreConfig(reserve_bytes=0))
        stored = store.get(sample.torrent.video)
        assert stored is not None
        assert promised <= _claimed(stored)
        assert _wrong(stored, sample) == []
        assert store.used_bytes == stored.have_blocks * BLOCK_BYTES
        if len(promised) > sample.shape.blocks // 4:
            store.remove(sample.torrent.video)
            promised.clear()
        store.close()


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Store]]:
    """Stores over the same folder, each opened as if the one before had lost its power."""
    opened: list[Store] = []
    yield opened
    for store in opened:
        store.close()


def _open_after_power_cut(root: Path, stores: list[Store]) -> Store:
    boot = root / "videos" / "boot"
    if boot.exists():
        boot.write_text("another boot")
    stores.append(Store(root, StoreConfig()))
    return stores[-1]


def test_after_a_power_cut_what_was_not_synced_is_hashed_again(
    tmp_path: Path, stores: list[Store]
) -> None:
    sample = make_sample(40 * BLOCK_BYTES)
    torrent = sample.torrent
    store = _open_after_power_cut(tmp_path, stores)
    stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    stored.attach(torrent)
    stored.write(0, sample.blocks(0, 10), sample.leaves_of(0, 10))
    stored.sync()
    stored.write(10, sample.blocks(10, 20), sample.leaves_of(10, 20))
    with stored.path.open("r+b") as file:  # the power went before these two reached the disk
        for lost in (12, 29):
            file.seek(lost * BLOCK_BYTES)
            file.write(bytes(BLOCK_BYTES))

    again = _open_after_power_cut(tmp_path, stores).get(torrent.video)
    assert again is not None
    assert again.missing(0, 40) == [range(12, 13), range(29, 40)]
    assert stores[-1].used_bytes == 28 * BLOCK_BYTES
    assert _wrong(again, sample) == []
    assert again.torrent == torrent
    assert again.pieces_have() == bytes([0b11101110, 0])


def test_a_restart_of_the_process_alone_hashes_nothing(
    tmp_path: Path, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = make_sample(40 * BLOCK_BYTES)
    torrent = sample.torrent
    store = _open_after_power_cut(tmp_path, stores)
    stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    stored.write(0, sample.payload, sample.leaves)
    hashed: list[object] = []
    monkeypatch.setattr("headwater.store.owned_video.leaf_hashes", hashed.append)
    stores.append(Store(tmp_path, StoreConfig()))
    again = stores[-1].get(torrent.video)
    assert again is not None
    assert again.is_whole
    assert hashed == []


def test_given_back_blocks_stay_away_after_a_power_cut(tmp_path: Path, stores: list[Store]) -> None:
    sample = make_sample(40 * BLOCK_BYTES)
    torrent = sample.torrent
    store = _open_after_power_cut(tmp_path, stores)
    stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    stored.write(0, sample.payload, sample.leaves)
    stored.sync()
    have = (stored.path.parent / "have").read_bytes()
    stored.give_back(range(2, 4))
    (stored.path.parent / "have").write_bytes(have)  # the clearing never reached the disk
    again = _open_after_power_cut(tmp_path, stores).get(torrent.video)
    assert again is not None
    assert again.missing(0, 40) == [range(8, 16)]


def test_what_is_given_back_during_a_sync_is_not_taken_for_synced(
    tmp_path: Path, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = make_sample(40 * BLOCK_BYTES)
    torrent = sample.torrent
    store = _open_after_power_cut(tmp_path, stores)
    stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    stored.write(0, sample.payload, sample.leaves)

    def give_back_meanwhile(fd: int) -> None:
        monkeypatch.undo()
        os.fsync(fd)
        stored.give_back(range(2, 3))
        stored.write(8, sample.blocks(8, 4), sample.leaves_of(8, 4))

    monkeypatch.setattr("headwater.store.content.datasync", give_back_meanwhile)
    stored.sync()
    with stored.path.open("r+b") as file:  # the second writing never reached the disk
        file.seek(8 * BLOCK_BYTES)
        file.write(bytes(4 * BLOCK_BYTES))
    again = _open_after_power_cut(tmp_path, stores).get(torrent.video)
    assert again is not None
    assert again.missing(0, 40) == [range(8, 12)]


def test_a_removal_cut_short_leaves_nothing_that_looks_whole(
    tmp_path: Path, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = make_sample(100_000)
    torrent = sample.torrent
    store = _open_after_power_cut(tmp_path, stores)
    stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    stored.write(0, sample.payload, sample.leaves)
    stored.sync()
    monkeypatch.setattr("headwater.store.store.shutil.rmtree", lambda *_, **__: None)
    store.remove(torrent.video)
    monkeypatch.undo()
    again = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    assert again.have_blocks == 0
    monkeypatch.setattr("headwater.store.store.shutil.rmtree", lambda *_, **__: None)
    store.remove(torrent.video)
    stores.append(Store(tmp_path, StoreConfig()))
    assert stores[-1].videos() == []


def test_where_no_boot_is_known_every_start_is_taken_for_a_power_cut(
    tmp_path: Path, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater.store.durable._LINUX_BOOT_ID", tmp_path / "nowhere")
    sample = make_sample(10 * BLOCK_BYTES)
    torrent = sample.torrent
    for size in (4, 10):
        stores.append(Store(tmp_path, StoreConfig()))
        stored = stores[-1].begin(torrent.video, torrent.shape, torrent.pieces_root)
        stored.write(0, sample.blocks(0, size), sample.leaves_of(0, size))
        (stored.path.parent / "info").write_bytes(b"lost")
        (stored.path.parent / "layer").write_bytes(b"lost")
        with stored.path.open("r+b") as file:
            file.write(b"lost")
    stores.append(Store(tmp_path, StoreConfig()))
    again = stores[-1].get(torrent.video)
    assert again is not None
    assert again.missing(0, 10) == [range(1)]
    assert again.torrent is None
    again.attach(torrent)
    assert again.torrent == torrent


def test_beginnings_and_ends_cut_short_are_cleared_away(
    tmp_path: Path, stores: list[Store]
) -> None:
    sample = make_sample(100_000)
    path = tmp_path / "prepared.mp4"
    path.write_bytes(sample.payload)
    store = _open_after_power_cut(tmp_path, stores)
    stored = store.adopt(sample.torrent, sample.leaves, path, owned=True)
    folder = stored.path.parent
    stored.path.rename(path)  # killed before it was moved in: the file is still where it was
    half_begun = folder.with_name("ab" * 32)
    half_begun.mkdir()
    (half_begun / "content").write_bytes(b"x")
    (folder.with_name("someone else's")).mkdir()

    store = _open_after_power_cut(tmp_path, stores)
    assert store.videos() == []
    assert path.read_bytes() == sample.payload
    assert sorted(entry.name for entry in folder.parent.iterdir()) == ["boot", "someone else's"]


@pytest.mark.parametrize(
    ("damage", "is_kept"),
    [
        (b"", False),
        (b"garbage", True),
        (b"\x81\xa4kind\xa8in_place", True),
    ],
)
def test_a_damaged_manifest_costs_that_video_only(
    tmp_path: Path, stores: list[Store], damage: bytes, is_kept: bool
) -> None:
    one, other = make_sample(50_000), make_sample(60_000)
    store = _open_after_power_cut(tmp_path, stores)
    for sample in (one, other):
        torrent = sample.torrent
        stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
        stored.write(0, sample.payload, sample.leaves)
        stored.attach(torrent)
    (stored.path.parent / "manifest").write_bytes(damage)
    store = _open_after_power_cut(tmp_path, stores)
    assert store.videos() == [one.torrent.video]
    assert stored.path.exists() == is_kept
    torrent = other.torrent
    assert store.begin(torrent.video, torrent.shape, torrent.pieces_root).have_blocks == 0


def test_a_later_version_s_video_is_left_alone(tmp_path: Path, stores: list[Store]) -> None:
    sample = make_sample(50_000)
    torrent = sample.torrent
    stored = _open_after_power_cut(tmp_path, stores).begin(
        torrent.video, torrent.shape, torrent.pieces_root
    )
    manifest = Manifest("fetched", 50_000, torrent.shape.piece_bytes, torrent.pieces_root, format=2)
    save_manifest(stored.path.parent, manifest)
    assert _open_after_power_cut(tmp_path, stores).videos() == []
    assert stored.path.exists()


def test_deleted_or_cut_content_is_fetched_again(tmp_path: Path, stores: list[Store]) -> None:
    sample = make_sample(40 * BLOCK_BYTES)
    torrent = sample.torrent
    store = _open_after_power_cut(tmp_path, stores)
    stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    stored.write(0, sample.payload, sample.leaves)
    stored.path.unlink()
    stores.append(Store(tmp_path, StoreConfig()))
    again = stores[-1].get(torrent.video)
    assert again is not None
    assert (again.have_blocks, stores[-1].used_bytes) == (0, 0)
    assert again.write(0, sample.payload, sample.leaves) == list(range(10))
    assert again.verified_read(0, 40) == sample.payload
