"""What the store claims to hold of a video, such that no claim is there without its bytes.

Two bitmaps lie on disk. `have` gets a block's bit at once, after the block was written: the page
cache carries both through a `kill -9`, in that order. `synced` gets it later, after the blocks
were forced to the disk: what a power cut leaves in `have` but not in `synced` is hashed again at
the next start."""

import os
from pathlib import Path
from threading import Lock

from headwater.store.bitmap import Bitmap
from headwater.store.durable import read_if_there, replace_file
from headwater.store.open_files import OpenFiles, write_at
from headwater.store.shape import VideoShape

__all__ = ["HAVE", "SYNCED", "Claims", "Snapshot"]

HAVE = "have"
SYNCED = "synced"


class Snapshot:
    """What was claimed when a sync began."""

    __slots__ = ("bits", "losses")

    def __init__(self, bits: bytes, losses: int) -> None:
        self.bits, self.losses = bits, losses


class Claims:
    """The blocks, and the pieces made whole by them. Thread-safe. Shape: two bits a block."""

    def __init__(
        self, shape: VideoShape, have: Bitmap, synced: Bitmap, files: OpenFiles, folder: Path
    ) -> None:
        self._shape, self._files, self._folder = shape, files, folder
        self._blocks, self._synced = have, synced
        self._pieces = _whole_pieces(shape, have)
        self._losses = 0
        self._lock = Lock()

    @classmethod
    def all_of(cls, shape: VideoShape, files: OpenFiles, folder: Path) -> "Claims":
        """Everything is here for good, whatever the folder says (a file in place)."""
        full = Bitmap.full(shape.blocks)
        return cls(shape, full, full, files, folder)

    @classmethod
    def load(cls, shape: VideoShape, files: OpenFiles, folder: Path) -> "Claims":
        """As the folder has them; nothing where it has none."""
        have = Bitmap(shape.blocks, read_if_there(folder / HAVE))
        synced = Bitmap(shape.blocks, read_if_there(folder / SYNCED))
        return cls(shape, have, synced, files, folder)

    @property
    def have_blocks(self) -> int:
        return self._blocks.count

    @property
    def is_whole(self) -> bool:
        return self._blocks.count == self._blocks.size

    def has(self, first: int, count: int) -> bool:
        with self._lock:
            return self._blocks.has(first, count)

    def missing(self, first: int, count: int) -> list[range]:
        with self._lock:
            return self._blocks.missing(first, count)

    def pieces(self) -> bytes:
        """Bitmap of the whole pieces, most significant bit first."""
        with self._lock:
            return self._pieces.to_bytes()

    def claim(self, first: int, count: int) -> tuple[int, list[int]]:
        """These blocks are written: how many are new, and which pieces became whole by them.

        Raises: OSError; nothing new is claimed then."""
        with self._lock:
            new = self._blocks.missing(first, count)
            if not new:
                return 0, []
            self._blocks.add(first, count)
            try:
                self._write(HAVE, self._blocks, first, count)
            except OSError:
                for gap in new:
                    self._blocks.discard(gap.start, len(gap))
                raise
            last = self._shape.piece_of(first + count - 1)
            touched = range(self._shape.piece_of(first), last + 1)
            return sum(map(len, new)), [piece for piece in touched if self._complete(piece)]

    def disclaim(self, first: int, count: int) -> int:
        """These blocks go or went bad: how many were claimed. `synced` forgets them for good first,
        so that no power cut can bring a claim back without its bytes. Raises: OSError."""
        with self._lock:
            self._losses += 1
            gone = self._blocks.discard(first, count)
            if gone:
                end = self._shape.piece_of(first + count - 1) + 1
                start = self._shape.piece_of(first)
                self._pieces.discard(start, end - start)
            if self._synced.discard(first, count):
                self._write(SYNCED, self._synced, first, count, on_disk=True)
            if gone:
                self._write(HAVE, self._blocks, first, count)
            return gone

    def unsynced(self) -> list[range]:
        """What is claimed but was perhaps never on the disk itself."""
        with self._lock:
            synced = self._synced.missing(0, self._shape.blocks)
            return [part for gap in synced for part in self._claimed_in(gap)]

    def retire(self) -> None:
        """The folder goes, or is another's now: no sync that is under way may confirm into it."""
        with self._lock:
            self._losses += 1

    def snapshot(self) -> Snapshot:
        """Take it before the bytes are forced to the disk, and hand it to confirm after."""
        with self._lock:
            return Snapshot(self._blocks.to_bytes(), self._losses)

    def confirm(self, snapshot: Snapshot) -> None:
        """All that was claimed at the snapshot is on the disk. Raises: OSError."""
        with self._lock:
            if self._losses != snapshot.losses:
                return  # blocks went meanwhile and may be back already: the next sync knows
            self._synced = Bitmap(self._shape.blocks, snapshot.bits)
            self._files.forget(self._folder / SYNCED)
            replace_file(self._folder / SYNCED, snapshot.bits)

    def _write(
        self, name: str, bitmap: Bitmap, first: int, count: int, *, on_disk: bool = False
    ) -> None:
        """In place: it must work on a full disk too, and a few bytes are never torn by a kill."""
        offset, content = bitmap.touched(first, count)
        with self._files.borrow(self._folder / name, os.O_RDWR) as file:
            write_at(file.fd, offset, content)
            if on_disk:
                os.fsync(file.fd)

    def _complete(self, piece: int) -> bool:
        blocks = self._shape.blocks_of(piece)
        return self._blocks.has(blocks.start, len(blocks)) and self._pieces.add(piece, 1) == 1

    def _claimed_in(self, gap: range) -> list[range]:
        """`gap` without what is missing in it."""
        parts, start = [], gap.start
        for hole in self._blocks.missing(gap.start, len(gap)):
            parts.append(range(start, hole.start))
            start = hole.stop
        parts.append(range(start, gap.stop))
        return [part for part in parts if part]


def _whole_pieces(shape: VideoShape, have: Bitmap) -> Bitmap:
    pieces = Bitmap.full(shape.pieces)
    for gap in have.missing(0, shape.blocks):
        start, last = shape.piece_of(gap.start), shape.piece_of(gap.stop - 1)
        pieces.discard(start, last + 1 - start)
    return pieces
