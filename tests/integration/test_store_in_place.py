"""A shared file that changes behind the node's back: never a wrong byte, and plain words."""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_samples import Sample, make_sample

from headwater.errors import ContentChanged, LocalUsageError, NotFound
from headwater.node.config import StoreConfig
from headwater.store.manifest import Stamp
from headwater.store.shared_video import SharedVideo
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo

SIZE_BYTES = 200_000


@pytest.fixture
def sample() -> Sample:
    return make_sample(SIZE_BYTES)


@pytest.fixture
def path(tmp_path: Path, sample: Sample) -> Path:
    folder = tmp_path / "videos of mine"
    folder.mkdir()
    path = folder / "holiday.mp4"
    path.write_bytes(sample.payload)
    os.utime(path, ns=(1_700_000_000_000_000_000, 1_700_000_000_000_000_000))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state", StoreConfig())
    yield store
    store.close()


@pytest.fixture
def stored(store: Store, sample: Sample, path: Path) -> StoredVideo:
    return store.adopt(sample.torrent, sample.leaves, path, owned=False)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other bytes")


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    shutil.copystat(path, other)
    other.replace(path)


def put_a_pipe_there(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def put_a_folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


CHANGES: list[tuple[Callable[[Path], object], str]] = [
    (overwrite, "was changed"),
    (replace, "was changed"),
    (append, "was changed"),
    (lambda path: os.truncate(path, 1000), "was changed"),
    (lambda path: os.truncate(path, 0), "was changed"),
    (Path.unlink, "was deleted or moved"),
    (lambda path: shutil.rmtree(path.parent), "was deleted or moved"),
    (put_a_pipe_there, "was changed"),
    (put_a_folder_there, "was changed"),
]


@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "open"])
@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_changed_file_is_refused_in_plain_words(
    store: Store,
    stored: StoredVideo,
    path: Path,
    sample: Sample,
    change: Callable[[Path], object],
    words: str,
    is_open: bool,
) -> None:
    if is_open:
        assert stored.read(0, 5) == sample.blocks(0, 5)
    change(path)
    with pytest.raises(ContentChanged, match=f"holiday.mp4 {words}"):
        stored.read(0, 5)
    assert words in stored.problem
    assert (stored.has(0, 1), stored.is_whole, stored.have_blocks) == (False, False, 0)
    assert stored.missing(0, 3) == [range(3)]
    assert stored.pieces_have() == b"\0"
    with pytest.raises(ContentChanged, match=words):
        stored.read_into(0, 1, memoryview(bytearray(16384)))
    assert not stored.check()


def test_a_file_that_comes_back_is_shared_again(stored: StoredVideo, path: Path) -> None:
    away = path.with_name("away.mp4")
    path.rename(away)
    assert not stored.check()
    away.rename(path)
    assert stored.check()
    assert (stored.problem, stored.is_whole) == ("", True)


def test_a_touched_file_is_hashed_once_and_trusted_again(
    stored: StoredVideo, path: Path, sample: Sample
) -> None:
    path.touch()
    with pytest.raises(ContentChanged):
        stored.read(0, 1)
    assert stored.check()
    assert stored.read(0, 13) == sample.payload


def test_new_rights_or_links_change_nothing(
    stored: StoredVideo, path: Path, sample: Sample
) -> None:
    path.chmod(0o600)
    path.with_name("link.mp4").hardlink_to(path)
    assert stored.read(0, 13) == sample.payload
    buffer = bytearray(SIZE_BYTES)
    stored.read_into(0, 13, memoryview(buffer))
    assert bytes(buffer) == sample.payload
    assert (stored.problem, stored.check()) == ("", True)


def test_bytes_changed_under_the_old_time_are_found_by_their_hash(
    store: Store, stored: StoredVideo, path: Path, tmp_path: Path
) -> None:
    status = path.stat()
    overwrite(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(ContentChanged):
        stored.read(0, 1)
    assert not stored.check()
    store.close()
    again = Store(tmp_path / "state", StoreConfig())
    reopened = again.get(stored.video)
    assert reopened is not None
    assert "was changed" in reopened.problem
    assert not reopened.check()
    again.close()


def test_a_verified_read_lets_no_wrong_byte_out(store: Store, path: Path, sample: Sample) -> None:
    """The stamp vouches for other bytes here, as it does where a file system lies about times."""
    overwrite(path)
    stored = store.adopt(sample.torrent, sample.leaves, path, owned=False)
    with pytest.raises(ContentChanged):
        stored.verified_read(0, 1)
    assert not stored.check()


def test_a_reader_beside_a_writer_gets_right_bytes_or_none(
    stored: StoredVideo, path: Path, sample: Sample
) -> None:
    started, wrong = threading.Event(), []

    def read_until_changed() -> None:
        try:
            while True:
                if stored.read(4, 4) != sample.blocks(4, 4):
                    wrong.append("bytes")
                started.set()
        except ContentChanged:
            return

    reader = threading.Thread(target=read_until_changed)
    reader.start()
    assert started.wait(10)
    with path.open("r+b") as file:
        file.seek(4 * 16384)
        file.write(bytes(4 * 16384))
    reader.join(10)
    assert not reader.is_alive()
    assert wrong == []


def test_a_change_in_the_middle_of_a_read_is_noticed(
    stored: StoredVideo, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_and_read(fd: int, offset: int, length: int) -> bytes:
        overwrite(path)
        return os.pread(fd, length, offset)

    monkeypatch.setattr("headwater.store.content.read_at", change_and_read)
    with pytest.raises(ContentChanged, match="was changed"):
        stored.read(0, 1)


def test_a_change_in_the_middle_of_a_read_into_is_noticed(
    stored: StoredVideo, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preadv = os.preadv

    def change_and_read(fd: int, buffers: list[memoryview], offset: int) -> int:
        overwrite(path)
        return preadv(fd, buffers, offset)

    monkeypatch.setattr("headwater.store.content.os.preadv", change_and_read)
    with pytest.raises(ContentChanged, match="was changed"):
        stored.read_into(0, 1, memoryview(bytearray(16384)))


def test_a_disk_that_fails_is_told(stored: StoredVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("headwater.store.content.read_at", fail)
    with pytest.raises(ContentChanged, match="can no longer be read: Input/output error"):
        stored.read(0, 1)


def test_a_buffer_that_is_too_small_is_our_own_mistake(stored: StoredVideo) -> None:
    with pytest.raises(LocalUsageError):
        stored.read_into(0, 2, memoryview(bytearray(20_000)))
    assert stored.problem == ""


def test_a_change_since_the_hashing_is_noticed(store: Store, sample: Sample, path: Path) -> None:
    before = Stamp.of(path.stat())
    overwrite(path)
    with pytest.raises(ContentChanged, match="while it was being shared"):
        store.adopt(sample.torrent, sample.leaves, path, owned=False, stamp=before)
    path.unlink()
    with pytest.raises(ContentChanged, match="cannot be shared"):
        store.adopt(sample.torrent, sample.leaves, path, owned=False)
    path.mkdir()
    with pytest.raises(ContentChanged, match="no file"):
        store.adopt(sample.torrent, sample.leaves, path, owned=False)
    with pytest.raises(LocalUsageError):
        store.adopt(sample.torrent, b"", path, owned=False)
    assert store.videos() == []


def test_a_person_s_file_is_never_written_to(stored: StoredVideo, sample: Sample) -> None:
    with pytest.raises(LocalUsageError):
        stored.write(0, sample.blocks(0, 1), sample.leaves_of(0, 1))
    with pytest.raises(LocalUsageError):
        stored.give_back(range(1))


def test_damaged_proofs_are_not_handed_out(stored: StoredVideo, tmp_path: Path) -> None:
    folder = tmp_path / "state/videos" / stored.video.hex()
    (folder / "leaves").write_bytes(bytes(13 * 32))
    with pytest.raises(NotFound, match="damaged"):
        stored.proof(1, 1, layer_known=True)
    assert "share it again" in stored.problem


def test_a_second_name_of_our_own_content_is_trusted_as_the_first_was(
    store: Store, sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torrent = sample.torrent
    fetched = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    fetched.write(0, sample.payload, sample.leaves)
    path = tmp_path / "mine.mp4"
    path.hardlink_to(fetched.path)
    stored = store.adopt(torrent, sample.leaves, path, owned=False)
    monkeypatch.setattr("headwater.store.shared_video.leaf_hashes", None)  # no read hashes
    assert stored.read(0, 13) == sample.payload
    assert path.stat().st_nlink == 1


def test_a_fetched_copy_gives_way_to_the_person_s_own_file(
    store: Store, sample: Sample, path: Path
) -> None:
    torrent = sample.torrent
    fetched = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    fetched.write(0, sample.blocks(0, 4), sample.leaves_of(0, 4))
    content = fetched.path
    stored = store.adopt(torrent, sample.leaves, path, owned=False)
    assert (fetched.has(0, 4), content.exists(), store.used_bytes) == (False, False, 0)
    assert store.get(torrent.video) is stored
    assert stored.read(0, 13) == sample.payload
    assert store.begin(torrent.video, torrent.shape, torrent.pieces_root) is stored


def test_a_file_with_another_name_is_read_on_by_whoever_reads_it(
    tmp_path: Path, store: Store, stored: StoredVideo, sample: Sample, path: Path
) -> None:
    new, is_read = path.with_name("renamed.mp4"), threading.Event()
    is_over, failures = threading.Event(), []

    def read() -> None:
        while not is_over.is_set():
            try:
                assert store.get(stored.video) is stored
                assert stored.read(0, 5) == sample.blocks(0, 5)
            except Exception as error:
                failures.append(error)
                return
            finally:
                is_read.set()

    reader = threading.Thread(target=read)
    reader.start()
    is_read.wait()
    path.rename(new)
    assert isinstance(stored, SharedVideo)
    stored.relocate(new, Stamp.of(new.stat()))
    is_read.clear()
    is_read.wait()
    is_over.set()
    reader.join()
    assert (failures, stored.path, stored.problem) == ([], new, "")
    again = Store(tmp_path / "state", StoreConfig())
    found = again.get(stored.video)
    again.close()
    assert found is not None and (found.path, found.problem) == (new, "")


def test_a_problem_of_the_old_name_is_over_with_the_new_one(
    store: Store, stored: StoredVideo, sample: Sample, path: Path
) -> None:
    new = path.with_name("renamed.mp4")
    path.rename(new)
    with pytest.raises(ContentChanged):
        stored.read(0, 1)
    assert isinstance(stored, SharedVideo)
    stored.relocate(new, Stamp.of(new.stat()))
    assert stored.read(0, 1) == sample.blocks(0, 1)


def test_another_file_is_not_taken_for_the_renamed_one(stored: StoredVideo, path: Path) -> None:
    other = path.with_name("other.mp4")
    other.write_bytes(bytes(SIZE_BYTES))
    assert isinstance(stored, SharedVideo)
    with pytest.raises(ContentChanged):
        stored.relocate(other, Stamp.of(other.stat()))
    assert (stored.path, stored.problem) == (path, "")
