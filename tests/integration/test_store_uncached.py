"""Large writes that go past the page cache, where the system can do that."""

import errno
import os
from pathlib import Path

import pytest

from headwater.store import open_files
from headwater.store.open_files import UNCACHED_BYTES, write_at


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
