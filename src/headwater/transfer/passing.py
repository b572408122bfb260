"""A video that is watched without being kept: a window of proven blocks in memory, none on disk."""

import threading
from collections import OrderedDict

from headwater.errors import NotFound
from headwater.store.shape import VideoShape
from headwater.store.torrent import Torrent
from headwater.wire.ids import BLOCK_BYTES, VideoId

__all__ = ["PassingVideo"]


class PassingVideo:
    """Blocks in memory, as transfers see a stored video. Shape: at most `window_bytes`.

    What was written or read longest ago goes first. A reader that looks ahead by no more than half
    of the window always finds what it asked for."""

    torrent: Torrent | None = None
    is_whole = False

    def __init__(
        self, video: VideoId, shape: VideoShape, pieces_root: bytes, *, window_bytes: int
    ) -> None:
        self.video, self.shape, self.pieces_root = video, shape, pieces_root
        self.window_blocks = max(2, window_bytes // BLOCK_BYTES)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def have_blocks(self) -> int:
        return len(self._blocks)

    def has(self, first: int, count: int) -> bool:
        return not self.missing(first, count)

    def missing(self, first: int, count: int) -> list[range]:
        found: list[range] = []
        with self._lock:
            for block in range(first, first + count):
                if block in self._blocks:
                    continue
                if found and found[-1].stop == block:
                    found[-1] = range(found[-1].start, block + 1)
                else:
                    found.append(range(block, block + 1))
        return found

    def verified_read(self, first: int, count: int) -> bytes:
        """The blocks; they were proven when they came. Raises: NotFound when one has gone."""
        with self._lock:
            try:
                for block in range(first, first + count):
                    self._blocks.move_to_end(block)
                return b"".join(self._blocks[block] for block in range(first, first + count))
            except KeyError as error:
                raise NotFound(f"block {error} is in memory no more") from error

    def write(self, first: int, payload: bytes | memoryview, leaves: bytes) -> list[int]:
        """Hold proven blocks, let the oldest go. Returns no pieces: none is served to others."""
        view = memoryview(payload)
        with self._lock:
            for index in range(len(leaves) // 32):
                at = index * BLOCK_BYTES
                self._blocks[first + index] = bytes(view[at : at + BLOCK_BYTES])
                self._blocks.move_to_end(first + index)
            while len(self._blocks) > self.window_blocks:
                self._blocks.popitem(last=False)
        return []
