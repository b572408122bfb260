"""A file's hybrid info-dict and its Merkle leaves, from one reading pass. Source: BEP 3, BEP 52.

libtorrent's Python bindings have no way to hand in v2 hashes and none to take the leaves out, so
the info-dict is put together here, byte for byte as libtorrent does it (a test holds that), and
libtorrent has the last word: it must find the same infohashes in it, else nothing is published."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1
from pathlib import Path
from typing import Any

import libtorrent as lt

from headwater.errors import LocalUsageError, NotFound, RemoteProtocolError, Unavailable
from headwater.media.worker_child import Report
from headwater.store.shape import VideoShape, piece_bytes_for
from headwater.store.torrent import Torrent, check_file_name
from headwater.transfer.proof import LayerTree, leaf_hashes, piece_hash

__all__ = ["create"]

HASHING_THREADS = 2
_BATCH_PIECES = 64
"""Pieces queued at once: progress is told after each batch, and memory stays bounded."""


def create(report: Report, path: Path, file_name: str) -> tuple[Torrent, bytes]:
    """The torrent of the file at `path`, to be known as `file_name`, and its leaves, 32 bytes each.

    `report` gets bytes. Raises: NotFound; LocalUsageError for an empty file or a name that others
    would refuse; Unavailable when the file changed meanwhile: try again once it stays as it is."""
    try:
        check_file_name(file_name)
        file = os.open(path, os.O_RDONLY)
    except RemoteProtocolError as error:
        raise LocalUsageError(f"{error}: rename it, then share it again") from error
    except OSError as error:
        raise NotFound(f"{path.name} cannot be read: {error.strerror}") from error
    try:
        before = _identity(file)
        size_bytes = before[0]
        if size_bytes == 0:
            raise LocalUsageError(f"{path.name} is empty: there is nothing to share")
        shape = VideoShape(size_bytes, piece_bytes_for(size_bytes))
        sha1s, leaves, layer = _hash(report, file, shape, path.name)
        if _identity(file) != before:
            raise _changed(path.name)
    finally:
        os.close(file)
    return _torrent(shape, file_name, sha1s, layer), leaves


def _identity(file: int) -> tuple[int, int]:
    seen = os.fstat(file)
    return seen.st_size, seen.st_mtime_ns


def _changed(name: str) -> Unavailable:
    return Unavailable(
        f"{name} changed while it was being read: it is shared once it stays as it is"
    )


def _hash(report: Report, file: int, shape: VideoShape, name: str) -> tuple[bytes, bytes, bytes]:
    """The SHA-1 of each piece, the leaves, the piece layer."""

    def hash_piece(piece: int) -> tuple[bytes, bytes, bytes]:
        start = piece * shape.piece_bytes
        length = min(shape.piece_bytes, shape.size_bytes - start)
        payload = os.pread(file, length, start)
        if len(payload) != length:
            raise _changed(name)
        leaves = leaf_hashes(payload)
        digest = sha1(payload, usedforsecurity=False).digest()
        return digest, leaves, piece_hash(shape, piece, leaves)

    hashed: list[tuple[bytes, bytes, bytes]] = []
    with ThreadPoolExecutor(HASHING_THREADS) as threads:
        for batch in _batches(shape.pieces):
            hashed += threads.map(hash_piece, batch)
            report(min(len(hashed) * shape.piece_bytes, shape.size_bytes), shape.size_bytes)
    sha1s, leaves, layer = (b"".join(column) for column in zip(*hashed, strict=True))
    return sha1s, leaves, layer


def _batches(pieces: int) -> Iterator[range]:
    for first in range(0, pieces, _BATCH_PIECES):
        yield range(first, min(first + _BATCH_PIECES, pieces))


def _torrent(shape: VideoShape, file_name: str, sha1s: bytes, layer: bytes) -> Torrent:
    name, root = file_name.encode(), LayerTree(shape, layer).root
    info: Any = {
        b"file tree": {name: {b"": {b"length": shape.size_bytes, b"pieces root": root}}},
        b"length": shape.size_bytes,
        b"meta version": 2,
        b"name": name,
        b"piece length": shape.piece_bytes,
        b"pieces": sha1s,
    }
    torrent = Torrent.parse(lt.bencode(info), layer)
    _check_with_libtorrent(torrent)
    return torrent


def _check_with_libtorrent(torrent: Torrent) -> None:
    """That every BitTorrent client will call this file by the ids that we do."""
    layers = {torrent.pieces_root: torrent.layer} if torrent.shape.pieces > 1 else {}
    whole: Any = {b"info": lt.bdecode(torrent.info), b"piece layers": layers}
    hashes = lt.torrent_info(whole).info_hashes()
    if (hashes.v1.to_bytes(), hashes.v2.to_bytes()) != (torrent.infohash_v1, torrent.video):
        raise LocalUsageError(
            f"libtorrent reads the torrent of {torrent.file_name!r} differently: a bug"
        )
