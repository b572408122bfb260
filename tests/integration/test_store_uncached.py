"""Large writes that go past the page cache, where the system can do that."""

import errno
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from headwater.store import open_files
from headwater.store.content import OwnedFile
from headwater.store.open_files import UNCACHED_BYTES, OpenFiles, write_at, write_direct


def _written(path: Path, *payloads: bytes) -> bytes:
    with path.open("w+b") as file:
        at = 0
        for payload in payloads:
            write_at(file.fileno(), at, payload)
            at += len(payload)
        file.seek(0)
        return file.read()


def test_small_and_large_writes_lie_side_by_side(tmp_path: Path) -> None:
    payloads = [os.urandom(size) for size in (5, UNCACHED_BYTES, 77, 3 * UNCACHED_BYTES + 1)]
    assert _written(tmp_path / "file", *payloads) == b"".join(payloads)


@pytest.mark.parametrize("refusal", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_system_that_cannot_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    asked: list[int] = []

    def pwritev(fd: int, buffers: list[bytes], offset: int, flags: int = 0) -> int:
        asked.append(flags)
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "pwritev", pwritev)
    monkeypatch.setattr(open_files, "_can_write_uncached", True)
    payload = os.urandom(UNCACHED_BYTES)
    assert _written(tmp_path / "file", payload, payload) == 2 * payload
    assert len(asked) == 1


def test_a_full_disk_is_no_reason_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pwritev(fd: int, buffers: list[bytes], offset: int, flags: int = 0) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwritev", pwritev)
    monkeypatch.setattr(open_files, "_can_write_uncached", True)
    with pytest.raises(OSError, match="No space"):
        _written(tmp_path / "file", bytes(UNCACHED_BYTES))


def _pages(payload: bytes) -> memoryview:
    """The payload where memory pages begin, as a bulk connection has it."""
    view = memoryview(mmap.mmap(-1, max(1, len(payload))))[: len(payload)]
    view[:] = payload
    return view


@pytest.mark.parametrize("lies_in", [_pages, bytes])
def test_whole_pages_and_the_rest_of_a_file_arrive(
    tmp_path: Path, lies_in: Callable[[bytes], bytes | memoryview]
) -> None:
    payload = os.urandom(3 * UNCACHED_BYTES + 777)
    files = OpenFiles()
    file = OwnedFile(files, tmp_path / "content")
    file.create(len(payload))
    assert file.read(0, len(payload)) == bytes(len(payload))  # the page cache has its holes now
    file.write(UNCACHED_BYTES, lies_in(payload[UNCACHED_BYTES:]))
    file.write(0, lies_in(payload[:UNCACHED_BYTES]))
    assert file.read(0, len(payload)) == payload
    files.close()


def test_a_reader_beside_direct_writes_never_sees_holes_where_bytes_are(tmp_path: Path) -> None:
    payload = os.urandom(2 * UNCACHED_BYTES)
    files = OpenFiles()
    file = OwnedFile(files, tmp_path / "content")
    file.create(32 * len(payload))
    pages, small = _pages(payload), payload[:16384]
    for at in range(0, 32 * len(payload), len(payload)):
        file.write(at, small)  # through the page cache, beside what it read ahead
        file.write(at + 16384, pages[:UNCACHED_BYTES])
        assert file.read(at, 16384 + UNCACHED_BYTES) == small + payload[:UNCACHED_BYTES]
    files.close()


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.ENOSPC])
def test_what_a_disk_does_not_take_directly_goes_the_other_way_unless_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    def pwrite(fd: int, payload: memoryview, offset: int) -> int:
        raise OSError(refusal, os.strerror(refusal))

    files, path = OpenFiles(), tmp_path / "content"
    path.write_bytes(b"")
    monkeypatch.setattr(os, "pwrite", pwrite)
    pages = _pages(bytes(UNCACHED_BYTES))
    if refusal == errno.EINVAL:
        assert write_direct(files, path, 0, pages) == 0
    else:
        with pytest.raises(OSError, match="No space"):
            write_direct(files, path, 0, pages)
    files.close()
