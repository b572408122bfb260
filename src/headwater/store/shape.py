"""How a file is cut: blocks of 16 KiB (Merkle leaves); pieces, a power of two of them (BEP 52)."""

from dataclasses import dataclass

from headwater.errors import RemoteProtocolError
from headwater.wire.ids import BLOCK_BYTES

__all__ = ["VideoShape", "piece_bytes_for"]

MIN_PIECE_BYTES = 256 * 1024
MAX_PIECE_BYTES = 4 * 1024 * 1024
_AIMED_PIECES = 2048


def piece_bytes_for(size_bytes: int) -> int:
    """The piece size of a new video: about 2048 pieces, within 256 KiB to 4 MiB."""
    piece = MIN_PIECE_BYTES
    while piece < MAX_PIECE_BYTES and size_bytes > piece * _AIMED_PIECES:
        piece *= 2
    return piece


@dataclass(frozen=True, slots=True)
class VideoShape:
    """The cut of one file. Raises: RemoteProtocolError when the numbers cannot be a file's."""

    size_bytes: int
    piece_bytes: int

    def __post_init__(self) -> None:
        if self.size_bytes < 1:
            raise RemoteProtocolError(f"a video has at least 1 byte, not {self.size_bytes}")
        if self.piece_bytes < BLOCK_BYTES or self.piece_bytes & (self.piece_bytes - 1):
            raise RemoteProtocolError(
                f"{self.piece_bytes} is no piece size: it must be a power of two of at least 16384"
            )

    @property
    def blocks(self) -> int:
        return -(-self.size_bytes // BLOCK_BYTES)

    @property
    def pieces(self) -> int:
        return -(-self.size_bytes // self.piece_bytes)

    @property
    def blocks_per_piece(self) -> int:
        return self.piece_bytes // BLOCK_BYTES

    def blocks_of(self, piece: int) -> range:
        first = piece * self.blocks_per_piece
        return range(first, min(first + self.blocks_per_piece, self.blocks))

    def piece_of(self, block: int) -> int:
        return block // self.blocks_per_piece

    def span(self, first: int, count: int) -> tuple[int, int]:
        """Byte offset and length of `count` blocks from `first` on (the last may be short)."""
        start = first * BLOCK_BYTES
        return start, min((first + count) * BLOCK_BYTES, self.size_bytes) - start

    def blocks_for(self, start: int, length: int) -> range:
        """The blocks that hold bytes [start, start + length)."""
        return range(start // BLOCK_BYTES, -(-min(start + length, self.size_bytes) // BLOCK_BYTES))
