"""A full disk, deleted or damaged content, many open files: what is claimed stays right."""

import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_samples import Sample, make_sample

from headwater.errors import NotFound, StorageFull
from headwater.node.config import StoreConfig
from headwater.store.blobs import MAX_FETCHED_BYTES
from headwater.store.open_files import OpenFiles
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.wire.ids import BLOCK_BYTES
from headwater.wire.messages import MAX_BLOB_BYTES

BLOCKS = 40


@pytest.fixture
def sample() -> Sample:
    return make_sample(BLOCKS * BLOCK_BYTES)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state", StoreConfig(reserve_bytes=0))
    yield store
    store.close()


def begin(store: Store, sample: Sample) -> StoredVideo:
    torrent = sample.torrent
    return store.begin(torrent.video, torrent.shape, torrent.pieces_root)


def write(stored: StoredVideo, sample: Sample, first: int, count: int) -> list[int]:
    return stored.write(first, sample.blocks(first, count), sample.leaves_of(first, count))


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="the disk that is always full is Linux's"
)
@pytest.mark.parametrize("name", ["content", "leaves", "have"])
def test_nothing_is_claimed_on_a_full_disk_and_all_goes_on_after(
    store: Store, sample: Sample, name: str
) -> None:
    stored = begin(store, sample)
    file = stored.path.with_name(name)
    real = file.rename(file.with_name("real"))
    file.symlink_to("/dev/full")
    with pytest.raises(StorageFull, match="is full"):
        write(stored, sample, 0, 8)
    assert (stored.have_blocks, stored.missing(0, 8), store.used_bytes) == (0, [range(8)], 0)
    store._around.files.forget(file)
    real.replace(file)
    assert write(stored, sample, 0, 8) == [0, 1]
    assert stored.verified_read(0, 8) == sample.blocks(0, 8)


LIMITED = """
    import resource, sys
    from pathlib import Path
    from store_samples import make_sample
    from headwater.errors import StorageFull
    from headwater.node.config import StoreConfig
    from headwater.store.store import Store

    sample = make_sample({blocks} * 16384)
    store = Store(Path(sys.argv[1]), StoreConfig(reserve_bytes=0))
    torrent = sample.torrent
    args = torrent.video, torrent.shape, torrent.pieces_root
    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    limit(100_000)
    try:
        store.begin(*args)
    except StorageFull:
        print("no room to begin", store.videos())
    limit(resource.RLIM_INFINITY)
    stored = store.begin(*args)
    limit(10 * 16384 + 5_000)
    for first in range(0, 16, 4):
        try:
            stored.write(first, sample.blocks(first, 4), sample.leaves_of(first, 4))
        except StorageFull:
            print("full at", first, stored.have_blocks)
            break
"""


def test_a_limit_in_the_middle_of_a_write_is_a_full_disk(tmp_path: Path, sample: Sample) -> None:
    code = textwrap.dedent(LIMITED.format(blocks=BLOCKS))
    samples = str(Path(__file__).parent)
    paths = os.pathsep.join([samples, *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["no room to begin []", "full at 8 8"]
    store = Store(tmp_path, StoreConfig())
    stored = store.get(sample.torrent.video)
    assert stored is not None
    assert stored.missing(0, BLOCKS) == [range(8, BLOCKS)]
    assert stored.verified_read(0, 8) == sample.blocks(0, 8)
    store.close()


def test_the_disk_s_reserve_is_left_alone(tmp_path: Path, sample: Sample) -> None:
    store = Store(tmp_path, StoreConfig(reserve_bytes=2**62))
    stored = begin(store, sample)
    with pytest.raises(StorageFull, match="must stay so"):
        write(stored, sample, 0, 1)
    assert store.room_bytes() == 0
    store.close()


def test_damaged_blocks_of_our_own_are_missing_and_come_back(store: Store, sample: Sample) -> None:
    stored = begin(store, sample)
    write(stored, sample, 0, BLOCKS)
    with stored.path.open("r+b") as file:
        file.seek(9 * BLOCK_BYTES)
        file.write(b"rot")
    with pytest.raises(NotFound, match="damaged"):
        stored.verified_read(8, 4)
    assert stored.missing(0, BLOCKS) == [range(9, 10)]
    assert write(stored, sample, 9, 1) == [2]
    assert stored.verified_read(0, BLOCKS) == sample.payload
    assert store.used_bytes == BLOCKS * BLOCK_BYTES


def test_damaged_leaves_of_our_own_cost_their_piece(store: Store, sample: Sample) -> None:
    stored = begin(store, sample)
    stored.attach(sample.torrent)
    write(stored, sample, 0, BLOCKS)
    with stored.path.with_name("leaves").open("r+b") as file:
        file.seek(9 * 32)
        file.write(b"rot")
    with pytest.raises(NotFound, match="damaged"):
        stored.proof(10, 1, layer_known=True)
    assert stored.missing(0, BLOCKS) == [range(8, 12)]


def test_content_cut_while_running_is_missing_and_comes_back(store: Store, sample: Sample) -> None:
    stored = begin(store, sample)
    write(stored, sample, 0, BLOCKS)
    os.truncate(stored.path, 5 * BLOCK_BYTES)
    with pytest.raises(NotFound, match="fetched again"):
        stored.read(4, 2)
    assert (stored.have_blocks, store.used_bytes) == (0, 0)
    assert stored.check()
    write(stored, sample, 0, BLOCKS)
    os.truncate(stored.path, 0)
    with pytest.raises(NotFound):
        stored.read_into(0, 1, memoryview(bytearray(BLOCK_BYTES)))
    write(stored, sample, 0, BLOCKS)
    assert stored.verified_read(0, BLOCKS) == sample.payload


def test_few_files_are_open_however_many_are_read(tmp_path: Path) -> None:
    files = OpenFiles(limit=4)
    before = _open_count()
    for number in range(20):
        path = tmp_path / str(number)
        path.write_bytes(b"%d" % number)
        with files.borrow(path, os.O_RDONLY) as file, files.borrow(path, os.O_RDONLY) as same:
            assert file is same
            assert os.pread(file.fd, 9, 0) == b"%d" % number
    assert _open_count() - before == 4
    with files.borrow(tmp_path / "19", os.O_RDONLY) as file:
        files.forget(tmp_path / "19")
        assert os.pread(file.fd, 9, 0) == b"19"
    assert _open_count() - before == 3
    files.close()
    assert _open_count() == before


def _open_count() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sum(_is_open(fd) for fd in range(min(soft, 4096)))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_fetched_blobs_are_bounded_and_our_own_are_kept(store: Store, tmp_path: Path) -> None:
    own = store.put_blob(b"our poster")
    fetched = tmp_path / "state/blobs/fetched"
    for number in range(MAX_FETCHED_BYTES // MAX_BLOB_BYTES + 2):
        sparse = fetched / f"old {number}"
        with sparse.open("wb") as file:
            file.truncate(MAX_BLOB_BYTES)
        os.utime(sparse, (number, number))
    newest = store.put_blob(b"their poster", is_fetched=True)
    sizes = [file.stat().st_size for file in fetched.iterdir()]
    assert sum(sizes) <= MAX_FETCHED_BYTES
    assert store.get_blob(newest) == b"their poster"
    assert store.get_blob(own) == b"our poster"
    assert not (fetched / "old 0").exists()
    store.put_blob(b"another", is_fetched=True)
