"""One video in the store, as the rest of the node sees it; shared and owned are the two kinds."""

import logging
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import ClassVar

from msgspec.structs import replace

from headwater.errors import LocalUsageError, NotFound, RemoteProtocolError
from headwater.store.budget import Budget
from headwater.store.claims import Claims
from headwater.store.content import OwnedFile, Truncated
from headwater.store.durable import write_error
from headwater.store.manifest import Manifest, save_manifest
from headwater.store.open_files import OpenFiles
from headwater.store.proofs import Proofs, save_torrent
from headwater.store.sync import Syncer
from headwater.store.torrent import Torrent
from headwater.transfer.proof import DamagedLeaves, range_proof
from headwater.wire.ids import HASH_BYTES, VideoId, short_id

__all__ = ["LEAVES", "StoredVideo", "Surroundings"]

LEAVES = "leaves"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all videos of a store share."""

    files: OpenFiles
    proofs: Proofs
    budget: Budget
    syncer: Syncer


class StoredVideo(ABC):
    """Verified blocks and what proves them. Thread-safe; what reads or writes files blocks.

    `problem` is "" or tells in plain words why nothing of it can be read now."""

    owned: ClassVar[bool]
    """Whether the bytes lie inside the store and are the store's to change."""
    path: Path
    """Where the bytes lie."""
    window_blocks: ClassVar[None] = None
    """It holds all that it gets."""

    def __init__(
        self,
        video: VideoId,
        folder: Path,
        manifest: Manifest,
        claims: Claims,
        surroundings: Surroundings,
        *,
        has_torrent: bool,
    ) -> None:
        self.video, self.shape = video, manifest.shape
        self.pieces_root = manifest.pieces_root
        self.source = Path(os.fsdecode(manifest.source)) if manifest.source else None
        self._folder, self._manifest = folder, manifest
        self._claims, self._around = claims, surroundings
        self._leaves = OwnedFile(surroundings.files, folder / LEAVES)
        self._has_torrent = has_torrent
        self._is_removed = False
        self._lock = Lock()  # whoever writes small files holds it: after retire nobody does

    @property
    def is_fetched(self) -> bool:
        """Whether it came from other nodes, and could come again."""
        return self._manifest.kind == "fetched"

    @property
    def problem(self) -> str:
        return self._manifest.problem

    @property
    def torrent(self) -> Torrent | None:
        """None until attach(). Blocks shortly when it was not asked for lately."""
        proven = self._around.proofs.of(self._folder) if self._has_torrent else None
        return proven.torrent if proven else None

    @property
    def have_blocks(self) -> int:
        return self._claims.have_blocks if self._can_read() else 0

    @property
    def is_whole(self) -> bool:
        return self._claims.is_whole and self._can_read()

    def has(self, first: int, count: int) -> bool:
        return self._can_read() and self._exists(first, count) and self._claims.has(first, count)

    def missing(self, first: int, count: int) -> list[range]:
        """What is not here, in order. Raises: NotFound when the video is not so long."""
        if not self._exists(first, count):
            raise NotFound(f"there are no blocks {first} to {first + count} in {self._name}")
        if not self._can_read():
            return [range(first, first + count)] if count else []
        return self._claims.missing(first, count)

    def pieces_have(self) -> bytes:
        """Bitmap, most significant bit first, of the pieces that are whole and provable."""
        if self._has_torrent and self._can_read():
            return self._claims.pieces()
        return bytes(-(-self.shape.pieces // 8))

    def attach(self, torrent: Torrent) -> None:
        """Keep what proves blocks to others.

        Raises: RemoteProtocolError when it does not fit; StorageFull; NotFound after a removal."""
        ours = (self.video, self.shape, self.pieces_root)
        if (torrent.video, torrent.shape, torrent.pieces_root) != ours:
            raise RemoteProtocolError(f"the info-dict does not fit {self._name}")
        with self._lock:
            if self._is_removed:
                raise NotFound(f"{self._name} was removed")
            if self._has_torrent:
                return
            try:
                save_torrent(self._folder, torrent, on_disk=False)
            except OSError as error:
                raise write_error(error, self._folder) from error
            self._around.proofs.keep(self._folder, torrent)
            self._has_torrent = True
        self._around.syncer.note(self)

    @abstractmethod
    def read(self, first: int, count: int) -> bytes:
        """The blocks, never fewer. Raises: NotFound when they are not here; ContentChanged when the
        file in place is no longer what was shared."""

    @abstractmethod
    def read_into(self, first: int, count: int, buffer: memoryview) -> int:
        """Like read, into `buffer` (at least the blocks' size); how many bytes it took."""

    @abstractmethod
    def verified_read(self, first: int, count: int) -> bytes:
        """Like read, with every block hashed again: a wrong byte never leaves."""

    @abstractmethod
    def write(self, first: int, payload: bytes | memoryview, leaves: bytes) -> list[int]:
        """Keep verified blocks, claiming them once they are written; which pieces became whole.

        Raises: StorageFull, with nothing new claimed; LocalUsageError when the sizes do not fit."""

    @abstractmethod
    def give_back(self, pieces: range) -> None:
        """Keep these pieces no longer; frees their disk space where the system can."""

    @abstractmethod
    def check(self) -> bool:
        """Whether it is still what was shared; mends or sets `problem`."""

    @abstractmethod
    def sync(self) -> None:
        """What is claimed now outlives a power cut. Raises: OSError."""

    def retire(self) -> None:
        """The store drops it: from now on nothing of it is here."""
        with self._lock:
            self._is_removed = True

    def leaves_of(self, piece: int) -> bytes:
        """32 bytes for each block of a piece. Raises: NotFound unless it is whole here."""
        blocks = self.shape.blocks_of(piece)
        if not blocks or not self.has(blocks.start, len(blocks)):
            raise NotFound(f"piece {piece} of {self._name} is not here")
        return self._read_leaves(blocks.start, len(blocks))

    def proof(self, first: int, count: int, *, layer_known: bool) -> bytes:
        """What proves these blocks to another node. Raises: NotFound when a piece at the range's
        ends is not whole here, or the info-dict is not."""
        proven = self._around.proofs.of(self._folder) if self._has_torrent else None
        if proven is None or not self.has(first, count) or not count:
            raise NotFound(
                f"blocks {first} to {first + count} of {self._name} cannot be proven yet"
            )
        try:
            return range_proof(
                self.shape, proven.tree, self.leaves_of, first, count, layer_known=layer_known
            )
        except DamagedLeaves as error:
            self._lose_proofs(error.piece)
            raise NotFound(f"the proofs of {self._name} were damaged on disk") from error

    @abstractmethod
    def _lose_proofs(self, piece: int) -> None:
        """The leaves of a piece are not what they were."""

    @property
    def _name(self) -> str:
        return f"video {short_id(self.video)}"

    def _can_read(self) -> bool:
        return not (self._is_removed or self._manifest.problem)

    def _exists(self, first: int, count: int) -> bool:
        return first >= 0 and count >= 0 and first + count <= self.shape.blocks

    def _span(self, first: int, count: int) -> tuple[int, int]:
        """Byte offset and length of blocks that are here. Raises: NotFound."""
        if not self.has(first, count):
            raise NotFound(f"blocks {first} to {first + count} of {self._name} are not here")
        return self.shape.span(first, count)

    def _room_in(self, buffer: memoryview, length: int) -> memoryview:
        if len(buffer) < length:
            raise LocalUsageError(f"{length} bytes do not fit into a buffer of {len(buffer)}")
        return buffer[:length]

    def _read_leaves(self, first: int, count: int) -> bytes:
        try:
            return self._leaves.read(first * HASH_BYTES, count * HASH_BYTES)
        except Truncated:
            self._lose_proofs(self.shape.piece_of(first))
            raise NotFound(f"the proofs of {self._name} were damaged on disk") from None

    def _remember(self, **changes: object) -> None:
        """Change the manifest; when it cannot be saved the next check finds the same again."""
        with self._lock:
            if self._is_removed:
                return
            self._manifest = replace(self._manifest, **changes)
            try:
                save_manifest(self._folder, self._manifest)
            except OSError as error:
                log.warning("store.manifest_not_saved", extra={"reason": str(error)})
