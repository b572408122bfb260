"""Our Merkle trees are those of libtorrent, for files of every awkward size."""

import random
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest

from headwater.store.shape import VideoShape
from headwater.store.torrent import Torrent
from headwater.transfer.proof import LayerTree, leaf_hashes, piece_hash, root_of
from headwater.wire.ids import HASH_BYTES

PIECE_BYTES = 65536
SIZES = [
    *(1, 16383, 16384, 16385, 32768, 32769, 49153),
    *(PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 2 * PIECE_BYTES + 16385),
    *(7 * PIECE_BYTES, 8 * PIECE_BYTES, 8 * PIECE_BYTES + 1, 33 * PIECE_BYTES + 40_000),
]


def _torrent(path: Path, flags: Any) -> dict[bytes, Any]:
    files = lt.list_files(str(path))
    made = lt.create_torrent(files, piece_size=PIECE_BYTES, flags=flags)
    lt.set_piece_hashes(made, str(path.parent))
    torrent: dict[bytes, Any] = made.generate()
    return torrent


def _ours(payload: bytes) -> tuple[VideoShape, bytes, bytes]:
    shape, leaves = VideoShape(len(payload), PIECE_BYTES), leaf_hashes(payload)
    spans = [shape.blocks_of(piece) for piece in range(shape.pieces)]
    parts = [leaves[s.start * HASH_BYTES : s.stop * HASH_BYTES] for s in spans]
    return shape, leaves, b"".join(piece_hash(shape, i, part) for i, part in enumerate(parts))


@pytest.mark.parametrize("size_bytes", SIZES)
def test_root_layer_and_ids_are_those_of_libtorrent(tmp_path: Path, size_bytes: int) -> None:
    path = tmp_path / "holiday.mp4"
    path.write_bytes(random.Random(size_bytes).randbytes(size_bytes))
    shape, leaves, layer = _ours(path.read_bytes())
    for flags in (0, lt.create_torrent.v2_only):
        made = _torrent(path, flags)
        root = made[b"info"][b"file tree"][b"holiday.mp4"][b""][b"pieces root"]
        assert root == root_of(leaves) == LayerTree(shape, layer).root
        assert made.get(b"piece layers", {}) == ({root: layer} if shape.pieces > 1 else {})

    hybrid = _torrent(path, 0)
    torrent = Torrent.parse(lt.bencode(hybrid[b"info"]), layer)
    theirs = lt.torrent_info(lt.bencode(hybrid)).info_hashes()
    assert torrent.video == theirs.v2.to_bytes()
    assert torrent.infohash_v1 == theirs.v1.to_bytes()
    assert (torrent.shape, torrent.pieces_root) == (shape, root)
