"""A video whose bytes are the store's: being fetched, fetched, or a copy that was moved in."""

import contextlib
import logging
from pathlib import Path

from headwater.errors import LocalUsageError, NotFound
from headwater.store.claims import Claims
from headwater.store.content import OwnedFile, Truncated
from headwater.store.durable import sync_folder, write_error
from headwater.store.gate import Gate
from headwater.store.manifest import Manifest
from headwater.store.stored_video import StoredVideo, Surroundings
from headwater.transfer.proof import leaf_hashes
from headwater.wire.ids import BLOCK_BYTES, HASH_BYTES, VideoId

__all__ = ["CONTENT", "OwnedVideo"]

CONTENT = "content"
_SMALL_FILES = ("manifest", "info", "layer")
_CHECK_BLOCKS = 64

log = logging.getLogger(__name__)


class OwnedVideo(StoredVideo):
    """Theory of operation: a write puts the blocks, then their leaves, then their bits. Reads and
    writes share the gate; giving back takes it alone, since it would free blocks under their
    hands."""

    owned = True

    def __init__(
        self,
        video: VideoId,
        folder: Path,
        manifest: Manifest,
        surroundings: Surroundings,
        *,
        has_torrent: bool,
    ) -> None:
        claims = Claims.load(manifest.shape, surroundings.files, folder)
        super().__init__(video, folder, manifest, claims, surroundings, has_torrent=has_torrent)
        self.path = folder / CONTENT
        self._file = OwnedFile(surroundings.files, self.path)
        self._is_counted = manifest.kind == "fetched"
        self._gate = Gate()

    def read(self, first: int, count: int) -> bytes:
        try:
            with self._gate.shared:
                return self._file.read(*self._span(first, count))
        except Truncated:
            raise self._start_anew() from None

    def read_into(self, first: int, count: int, buffer: memoryview) -> int:
        try:
            with self._gate.shared:
                offset, length = self._span(first, count)
                self._file.read_into(offset, self._room_in(buffer, length))
                return length
        except Truncated:
            raise self._start_anew() from None

    def verified_read(self, first: int, count: int) -> bytes:
        payload = self.read(first, count)
        if leaf_hashes(payload) == self._read_leaves(first, count):
            return payload
        try:
            self._drop_damaged(range(first, first + count))
        except Truncated:
            raise self._start_anew() from None
        raise NotFound(f"blocks of {self._name} were damaged on disk: they are fetched again")

    def write(self, first: int, payload: bytes | memoryview, leaves: bytes) -> list[int]:
        count = len(leaves) // HASH_BYTES
        if not count or not self._exists(first, count):
            raise LocalUsageError(f"there are no {count} blocks from {first} on in {self._name}")
        if len(payload) != self.shape.span(first, count)[1] or len(leaves) != count * HASH_BYTES:
            raise LocalUsageError(f"{len(payload)} bytes are not blocks {first} to {first + count}")
        try:
            with self._gate.shared:
                whole = self._write(first, count, payload, leaves)
        except OSError as error:
            raise write_error(error, self.path) from error
        except Truncated:
            raise self._start_anew() from None
        self._around.syncer.note(self)
        return whole

    def give_back(self, pieces: range) -> None:
        size = self.shape.blocks_per_piece
        first, end = pieces.start * size, min(pieces.stop * size, self.shape.blocks)
        if not 0 <= first < end:
            return
        with self._gate.alone, contextlib.suppress(Truncated):
            if not self._is_removed:
                self._disclaim(first, end - first)
                self._file.punch(*self.shape.span(first, end - first))

    def check(self) -> bool:
        if not self._is_intact():
            self._start_anew()
        return self._can_read()

    def prepare(self, *, is_same_boot: bool) -> None:
        """At start: claim nothing that may not be there. After a power cut what was synced is
        trusted, of the rest only what its hashes vouch for. Raises: OSError."""
        if self._is_counted:
            self._around.budget.count(self._claims.have_blocks * BLOCK_BYTES)
        if not self._is_intact():
            self._start_anew()
        elif not is_same_boot and (unsynced := self._claims.unsynced()):
            for blocks in unsynced:
                self._drop_damaged(blocks)
            self.sync()
        if not is_same_boot and self._has_torrent:  # it was perhaps not on the disk either
            self._has_torrent = self._around.proofs.of(self._folder) is not None

    def sync(self) -> None:
        if self._is_removed:
            return
        snapshot = self._claims.snapshot()
        with contextlib.suppress(Truncated):
            self._file.sync()
            self._leaves.sync()
            for path in (self._folder / name for name in _SMALL_FILES):
                if path.exists():
                    OwnedFile(self._around.files, path).sync()
            sync_folder(self._folder)
            self._claims.confirm(snapshot)

    def retire(self) -> None:
        with self._gate.alone:
            if not self._is_removed:
                super().retire()
                self._claims.retire()
                self._uncount(self._claims.have_blocks)

    def _write(
        self, first: int, count: int, payload: bytes | memoryview, leaves: bytes
    ) -> list[int]:
        if self._is_removed:
            raise NotFound(f"{self._name} was removed")
        missing = sum(map(len, self._claims.missing(first, count)))
        if not missing:
            return []
        if self._is_counted:
            self._around.budget.take(missing * BLOCK_BYTES)
        new = 0
        try:
            self._file.write(self.shape.span(first, count)[0], payload)
            self._leaves.write(first * HASH_BYTES, leaves)
            new, whole = self._claims.claim(first, count)
        finally:
            self._uncount(missing - new)  # it failed, or another thread wrote the same
        return whole

    def _is_intact(self) -> bool:
        return (
            self._file.size_bytes() == self.shape.size_bytes
            and self._leaves.size_bytes() == self.shape.blocks * HASH_BYTES
        )

    def _start_anew(self) -> NotFound:
        """Somebody cut or deleted our files: claim nothing and make them again; what to raise."""
        with self._gate.alone:
            if not self._is_removed and not self._is_intact():
                log.warning("store.content_lost", extra={"video": self.video.hex()})
                self._disclaim(0, self.shape.blocks)
                self._file.create(self.shape.size_bytes)
                self._leaves.create(self.shape.blocks * HASH_BYTES)
        return NotFound(f"what was here of {self._name} was deleted: it is fetched again")

    def _drop_damaged(self, blocks: range) -> None:
        """Claim only those of the blocks that still have their hashes."""
        for first in range(blocks.start, blocks.stop, _CHECK_BLOCKS):
            count = min(_CHECK_BLOCKS, blocks.stop - first)
            found = leaf_hashes(self._file.read(*self.shape.span(first, count)))
            leaves = self._leaves.read(first * HASH_BYTES, count * HASH_BYTES)
            if found == leaves:
                continue
            for index in range(count):
                leaf = slice(index * HASH_BYTES, (index + 1) * HASH_BYTES)
                if found[leaf] != leaves[leaf]:
                    self._disclaim(first + index, 1)

    def _lose_proofs(self, piece: int) -> None:
        blocks = self.shape.blocks_of(piece)
        self._disclaim(blocks.start, len(blocks))

    def _disclaim(self, first: int, count: int) -> None:
        self._uncount(self._claims.disclaim(first, count))

    def _uncount(self, blocks: int) -> None:
        if self._is_counted:
            self._around.budget.give_back(blocks * BLOCK_BYTES)
