"""Info-dicts are those that libtorrent would make; what changes meanwhile is refused."""

import asyncio
import os
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest

from headwater.errors import LocalUsageError, NotFound, Unavailable
from headwater.media import jobs
from headwater.media.worker import in_process
from headwater.store.shape import piece_bytes_for
from headwater.torrent import create as module
from headwater.torrent.create import create
from headwater.transfer.proof import leaf_hashes

KIB = 1024
PIECE = piece_bytes_for(1)


def no_report(done: int, total: int) -> None:
    """Nobody asks."""


def made_by_libtorrent(path: Path) -> tuple[bytes, bytes]:
    """The info-dict and the piece layer (empty in a file of one piece)."""
    maker = lt.create_torrent(lt.list_files(str(path)), piece_bytes_for(path.stat().st_size))
    lt.set_piece_hashes(maker, str(path.parent))
    torrent: dict[bytes, Any] = maker.generate()
    return lt.bencode(torrent[b"info"]), b"".join(torrent.get(b"piece layers", {}).values())


@pytest.mark.parametrize(
    "size_bytes",
    [
        1,
        100,
        16 * KIB,
        16 * KIB + 1,
        100 * KIB + 7,
        PIECE - 1,
        PIECE,
        PIECE + 1,
        3 * PIECE,
        5 * PIECE + 17,
        64 * PIECE + 16 * KIB,
    ],
)
def test_it_is_what_libtorrent_makes(tmp_path: Path, size_bytes: int) -> None:
    path = tmp_path / "Größe ビデオ.mp4"
    payload = os.urandom(size_bytes)
    path.write_bytes(payload)
    torrent, leaves = create(no_report, path, path.name)
    info, layer = made_by_libtorrent(path)
    assert torrent.info == info
    assert torrent.layer == (layer or torrent.pieces_root)
    assert leaves == leaf_hashes(payload)
    assert torrent.file_name == path.name


def test_progress_ends_with_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(os.urandom(70 * PIECE + 5))
    told: list[tuple[int, int]] = []
    create(lambda done, total: told.append((done, total)), path, path.name)
    assert told == [(64 * PIECE, 70 * PIECE + 5), (70 * PIECE + 5, 70 * PIECE + 5)]


def test_in_a_process_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(os.urandom(PIECE + 5))
    assert asyncio.run(in_process(jobs.create_torrent, path, "film.mp4")) == create(
        no_report, path, "film.mp4"
    )


@pytest.mark.parametrize("change", ["grow", "shrink", "touch"])
def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(os.urandom(66 * PIECE))

    def meddle(done: int, total: int) -> None:
        if done < total and change == "grow":
            with path.open("ab") as file:
                file.write(b"more")
        elif done < total and change == "shrink":
            os.truncate(path, PIECE)
        elif done < total:
            os.utime(path, (1, 1))

    with pytest.raises(Unavailable, match=r"film\.mp4 changed while"):
        create(meddle, path, path.name)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    with pytest.raises(LocalUsageError, match=r"film\.mp4 is empty"):
        create(no_report, tmp_path / "film.mp4", "film.mp4")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No such file"):
        create(no_report, tmp_path / "film.mp4", "film.mp4")


@pytest.mark.parametrize("name", ["a\nb.mp4", "../film.mp4", "x" * 256])
def test_a_name_that_others_would_refuse(tmp_path: Path, name: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"x")
    with pytest.raises(LocalUsageError, match="rename it"):
        create(no_report, path, name)


def test_memory_is_bounded_by_the_batch() -> None:
    assert list(module._batches(130)) == [range(64), range(64, 128), range(128, 130)]
