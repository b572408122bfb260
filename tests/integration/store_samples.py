"""Files with their torrents and leaves, for the store's tests."""

import random
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

import libtorrent as lt

from headwater.store.shape import VideoShape
from headwater.store.torrent import Torrent
from headwater.transfer.proof import leaf_hashes, piece_hash, root_of
from headwater.wire.ids import HASH_BYTES

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    payload: bytes
    leaves: bytes
    torrent: Torrent

    @property
    def shape(self) -> VideoShape:
        return self.torrent.shape

    def blocks(self, first: int, count: int) -> bytes:
        offset, length = self.shape.span(first, count)
        return self.payload[offset : offset + length]

    def leaves_of(self, first: int, count: int) -> bytes:
        return self.leaves[first * HASH_BYTES : (first + count) * HASH_BYTES]


def make_sample(
    size_bytes: int, *, name: str = "holiday.mp4", piece_bytes: int = PIECE_BYTES, seed: int = 1
) -> Sample:
    payload = random.Random(seed).randbytes(size_bytes)
    shape, leaves = VideoShape(size_bytes, piece_bytes), leaf_hashes(payload)
    pieces = [payload[at : at + piece_bytes] for at in range(0, size_bytes, piece_bytes)]
    file = {b"length": size_bytes, b"pieces root": root_of(leaves)}
    fields: dict[bytes, Any] = {
        b"file tree": {name.encode(): {b"": file}},
        b"length": size_bytes,
        b"meta version": 2,
        b"name": name.encode(),
        b"piece length": piece_bytes,
        b"pieces": b"".join(sha1(piece).digest() for piece in pieces),
    }
    return Sample(payload, leaves, Torrent.parse(lt.bencode(fields), _layer(shape, leaves)))


def _layer(shape: VideoShape, leaves: bytes) -> bytes:
    parts = []
    for piece in range(shape.pieces):
        blocks = shape.blocks_of(piece)
        own = leaves[blocks.start * HASH_BYTES : blocks.stop * HASH_BYTES]
        parts.append(piece_hash(shape, piece, own))
    return b"".join(parts)
