"""Writes to a store until it is killed, telling on stdout what is done: `FIRST COUNT` a write.

The lower half only grows. Pieces of the upper half are given back and written anew all the time."""

import os
import random
import sys
import threading
from pathlib import Path

from store_samples import Sample, make_sample

from headwater.node.config import StoreConfig
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo

SIZE_BYTES = 24 * 1024 * 1024 + 777
PIECE_BYTES = 64 * 1024


def writer_sample() -> Sample:
    return make_sample(SIZE_BYTES, piece_bytes=PIECE_BYTES)


def _write(stored: StoredVideo, sample: Sample, first: int, count: int) -> None:
    stored.write(first, sample.blocks(first, count), sample.leaves_of(first, count))


def _grow(stored: StoredVideo, sample: Sample, seed: int) -> None:
    chance, half = random.Random(seed), sample.shape.blocks // 2
    while True:
        first = chance.randrange(half)
        count = min(chance.randint(1, 8), half - first)
        _write(stored, sample, first, count)
        os.write(1, b"%d %d\n" % (first, count))  # one system call: never half a line


def _churn(stored: StoredVideo, sample: Sample, seed: int) -> None:
    chance, pieces = random.Random(seed), sample.shape.pieces
    while True:
        piece = chance.randrange(pieces // 2 + 1, pieces)
        blocks = sample.shape.blocks_of(piece)
        _write(stored, sample, blocks.start, len(blocks))
        stored.give_back(range(piece, piece + 1))
        _write(stored, sample, blocks.start, len(blocks))


def main() -> None:
    root, seed = Path(sys.argv[1]), int(sys.argv[2])
    sample = writer_sample()
    torrent = sample.torrent
    store = Store(root, StoreConfig(reserve_bytes=0))
    stored = store.begin(torrent.video, torrent.shape, torrent.pieces_root)
    for work in (_grow, _grow, _churn):
        seed += 1
        threading.Thread(target=work, args=(stored, sample, seed), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
