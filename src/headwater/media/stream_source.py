"""A video on the far side of the pipe, as the file that FFmpeg reads."""

import io
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["PipedFile"]

BLOCK_BYTES = 64 * 1024
MAX_BLOCKS = 512
"""32 MiB: a group of pictures is read again when the segment after it is cut."""


class PipedFile(io.RawIOBase):
    """Reads by `fetch(start, length)`. Shape: remembers the last MAX_BLOCKS blocks."""

    def __init__(self, size_bytes: int, fetch: Callable[[int, int], bytes]) -> None:
        self._size, self._fetch, self._at = size_bytes, fetch, 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, fewer at the end of a block: FFmpeg asks on."""
        number, skip = divmod(self._at, BLOCK_BYTES)
        if self._at >= self._size:
            return b""
        block = self._block(number)
        part = block[skip:] if size < 0 else block[skip : skip + size]
        self._at += len(part)
        return part

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is None:
            start = number * BLOCK_BYTES
            block = self._fetch(start, min(BLOCK_BYTES, self._size - start))
            self._blocks[number] = block
            if len(self._blocks) > MAX_BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(number)
        return block
