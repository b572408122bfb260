"""The store as the node uses it: share in place, move in, fetch, give back, remove, start again."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_samples import Sample, make_sample

from headwater.errors import (
    LocalUsageError,
    NotFound,
    RemoteProtocolError,
    StorageFull,
)
from headwater.node.config import StoreConfig
from headwater.store.shape import VideoShape
from headwater.store.store import Store
from headwater.transfer.proof import verify_in_layer, verify_range
from headwater.wire.ids import BLOCK_BYTES, VideoId

Open = Callable[..., Store]
SIZE_BYTES = 10 * 64 * 1024 + 12_345


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Open]:
    """Opens the same store again each time it is called."""
    opened: list[Store] = []

    def open_again(*, quota_bytes: int = 0, reserve_bytes: int = 0) -> Store:
        if opened:
            opened[-1].close()
        config = StoreConfig(quota_bytes=quota_bytes, reserve_bytes=reserve_bytes)
        opened.append(Store(tmp_path / "state", config))
        return opened[-1]

    yield open_again
    opened[-1].close()


@pytest.fixture
def sample() -> Sample:
    return make_sample(SIZE_BYTES)


def fetch(store: Store, sample: Sample, first: int, count: int) -> list[int]:
    torrent = sample.torrent
    stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    return stored.write(first, sample.blocks(first, count), sample.leaves_of(first, count))


def test_a_file_in_place_is_read_and_proven_and_left_alone(
    open_store: Open, sample: Sample, tmp_path: Path
) -> None:
    path = tmp_path / "holiday.mp4"
    path.write_bytes(sample.payload)
    store = open_store()
    stored = store.adopt(sample.torrent, sample.leaves, path, owned=False)
    assert stored.read(0, sample.shape.blocks) == sample.payload
    proof = stored.proof(3, 2, layer_known=False)
    leaves = sample.leaves_of(3, 2)
    assert verify_range(sample.shape, sample.torrent.pieces_root, 3, leaves, proof)
    assert (stored.is_whole, stored.owned, stored.path, stored.problem) == (True, False, path, "")

    again = open_store().get(sample.torrent.video)
    assert again is not None
    assert again.torrent == sample.torrent
    assert again.verified_read(40, 1) == sample.blocks(40, 1)
    assert again.pieces_have() == b"\xff\xe0"
    open_store().remove(sample.torrent.video)
    assert path.read_bytes() == sample.payload


def test_an_owned_file_is_moved_in_and_goes_with_its_video(
    open_store: Open, sample: Sample, tmp_path: Path
) -> None:
    path, source = tmp_path / "prepared.mp4", tmp_path / "holiday.mkv"
    path.write_bytes(sample.payload)
    stored = open_store().adopt(sample.torrent, sample.leaves, path, owned=True, source=source)
    assert not path.exists()
    assert stored.source == source
    store = open_store()
    again = store.get(sample.torrent.video)
    assert again is not None
    assert again.is_whole
    assert again.verified_read(0, sample.shape.blocks) == sample.payload
    store.remove(sample.torrent.video)
    assert store.videos() == []
    with pytest.raises(NotFound):
        again.read(0, 1)
    assert open_store().videos() == []


def test_fetched_blocks_are_claimed_piece_by_piece_and_after_a_restart(
    open_store: Open, sample: Sample
) -> None:
    store = open_store()
    assert fetch(store, sample, 5, 2) == []
    assert fetch(store, sample, 4, 6) == [1]
    stored = store.get(sample.torrent.video)
    assert stored is not None
    assert stored.have_blocks == 6
    assert stored.missing(0, 12) == [range(4), range(10, 12)]
    assert stored.pieces_have() == b"\0\0"
    with pytest.raises(NotFound):
        stored.read(3, 2)
    with pytest.raises(NotFound):
        stored.proof(4, 1, layer_known=True)
    stored.attach(sample.torrent)
    assert stored.pieces_have() == b"\x40\0"

    stored = open_store().get(sample.torrent.video)
    assert stored is not None
    assert stored.torrent == sample.torrent
    assert stored.read(4, 6) == sample.blocks(4, 6)
    proof = stored.proof(5, 2, layer_known=True)
    assert verify_in_layer(sample.shape, sample.torrent.layer, 5, sample.leaves_of(5, 2), proof)
    last = sample.shape.blocks - 1
    rest = [piece for gap in stored.missing(0, last + 1) for piece in _write(stored, sample, gap)]
    assert (rest, stored.is_whole) == ([0, 2, 3, 4, 5, 6, 7, 8, 9, 10], True)
    buffer = bytearray(SIZE_BYTES + 100)
    assert stored.read_into(0, last + 1, memoryview(buffer)) == SIZE_BYTES
    assert buffer[:SIZE_BYTES] == sample.payload


def _write(stored: object, sample: Sample, gap: range) -> list[int]:
    from headwater.store.stored_video import StoredVideo

    assert isinstance(stored, StoredVideo)
    return stored.write(
        gap.start, sample.blocks(gap.start, len(gap)), sample.leaves_of(gap.start, len(gap))
    )


def test_given_back_pieces_are_missing_and_their_disk_space_is_free(
    open_store: Open, sample: Sample
) -> None:
    store = open_store()
    fetch(store, sample, 0, sample.shape.blocks)
    stored = store.get(sample.torrent.video)
    assert stored is not None
    before = stored.path.stat().st_blocks
    stored.give_back(range(1, 9))
    assert stored.path.stat().st_blocks <= before - 8 * 64 * 2
    assert stored.missing(0, sample.shape.blocks) == [range(4, 36)]
    assert store.used_bytes == stored.have_blocks * BLOCK_BYTES
    stored = open_store().get(sample.torrent.video)
    assert stored is not None
    assert stored.missing(0, sample.shape.blocks) == [range(4, 36)]
    assert stored.verified_read(36, 5) == sample.blocks(36, 5)


def test_a_quota_refuses_the_block_that_passes_it_and_keeps_the_rest(
    open_store: Open, sample: Sample
) -> None:
    store = open_store(quota_bytes=8 * BLOCK_BYTES)
    fetch(store, sample, 0, 6)
    with pytest.raises(StorageFull, match="quota"):
        fetch(store, sample, 6, 3)
    stored = store.get(sample.torrent.video)
    assert stored is not None
    assert (stored.have_blocks, store.room_bytes()) == (6, 2 * BLOCK_BYTES)
    fetch(store, sample, 4, 4)
    store.remove(sample.torrent.video)
    assert store.used_bytes == 0


def test_a_torrent_or_shape_of_another_file_is_refused(open_store: Open, sample: Sample) -> None:
    store, torrent = open_store(), sample.torrent
    stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    with pytest.raises(RemoteProtocolError):
        stored.attach(make_sample(SIZE_BYTES, seed=2).torrent)
    with pytest.raises(RemoteProtocolError):
        store.begin(torrent.video, torrent.shape, bytes(32))
    with pytest.raises(RemoteProtocolError, match="limit"):
        store.begin(VideoId(bytes(32)), VideoShape(2**50, 16384), bytes(32))
    with pytest.raises(LocalUsageError):
        stored.write(0, b"short", sample.leaves_of(0, 1))


def test_a_prepared_copy_from_another_disk_is_moved_in_too(
    open_store: Open, sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "prepared.mp4"
    path.write_bytes(sample.payload)
    replace = Path.replace

    def replace_on_one_disk(self: Path, target: Path) -> Path:
        if self == path:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_on_one_disk)
    stored = open_store().adopt(sample.torrent, sample.leaves, path, owned=True)
    assert stored.verified_read(0, sample.shape.blocks) == sample.payload
    assert not path.exists()


def test_a_file_that_cannot_be_moved_in_stays_where_it_is(
    open_store: Open, sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "prepared.mp4"
    path.write_bytes(sample.payload)
    replace = Path.replace

    def replace_on_a_full_disk(self: Path, target: Path) -> Path:
        if self == path:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    store = open_store()
    monkeypatch.setattr(Path, "replace", replace_on_a_full_disk)
    with pytest.raises(StorageFull):
        store.adopt(sample.torrent, sample.leaves, path, owned=True)
    assert (path.read_bytes(), store.videos()) == (sample.payload, [])
    monkeypatch.undo()
    fetch(store, sample, 0, 4)
    store.adopt(sample.torrent, sample.leaves, path, owned=True)
    again = open_store().get(sample.torrent.video)
    assert again is not None
    assert again.verified_read(0, sample.shape.blocks) == sample.payload


def test_what_is_not_there_is_not_found(open_store: Open, sample: Sample) -> None:
    torrent = sample.torrent
    stored = open_store().begin(torrent.video, torrent.shape, torrent.pieces_root)
    assert not stored.has(-1, 1)
    assert not stored.has(0, 1000)
    with pytest.raises(NotFound):
        stored.missing(0, 1000)
    with pytest.raises(NotFound):
        stored.leaves_of(0)
    with pytest.raises(NotFound):
        stored.leaves_of(1000)
    with pytest.raises(LocalUsageError):
        stored.write(1000, b"x", bytes(32))


def test_blobs_come_back_by_their_hash_unless_they_were_damaged(
    open_store: Open, tmp_path: Path
) -> None:
    store = open_store()
    own, fetched = store.put_blob(b"poster"), store.put_blob(b"theirs", is_fetched=True)
    assert store.get_blob(own) == b"poster"
    (tmp_path / "state/blobs/fetched" / fetched.hex()).write_bytes(b"broken")
    assert store.get_blob(fetched) is None
    with pytest.raises(LocalUsageError):
        store.put_blob(bytes(4 * 1024 * 1024 + 1))
    (
        tmp_path / "state/blobs/fetched" / fetched.hex()
    ).mkdir()  # what the disk cannot give as a file
    assert store.get_blob(fetched) is None


def test_what_the_disk_does_not_let_go_of_is_told_and_not_used_any_more(
    open_store: Open, sample: Sample, tmp_path: Path
) -> None:
    store, torrent = open_store(), sample.torrent
    store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    manifest = tmp_path / "state/videos" / torrent.video.hex() / "manifest"
    manifest.unlink()
    manifest.mkdir()
    with pytest.raises(StorageFull, match="look after its disk"):
        store.remove(torrent.video)
    assert store.get(torrent.video) is None
    with pytest.raises(StorageFull, match="look after its disk"):
        store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    film = tmp_path / "film.mp4"
    film.write_bytes(sample.payload)
    with pytest.raises(StorageFull, match="look after its disk"):
        store.adopt(torrent, sample.leaves, film, owned=True)
    assert film.read_bytes() == sample.payload
    manifest.rmdir()
    assert store.begin(torrent.video, torrent.shape, torrent.pieces_root).have_blocks == 0
