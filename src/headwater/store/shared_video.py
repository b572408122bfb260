"""A video that lies where its owner keeps it: read there, never changed, watched for change."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from headwater.errors import ContentChanged, LocalUsageError
from headwater.store.claims import Claims
from headwater.store.content import SharedFile
from headwater.store.manifest import Manifest, Stamp
from headwater.store.stored_video import StoredVideo, Surroundings
from headwater.transfer.proof import leaf_hashes
from headwater.wire.ids import VideoId

__all__ = ["SharedVideo"]

T = TypeVar("T")

_CHECK_BLOCKS = 64


class SharedVideo(StoredVideo):
    owned = False

    def __init__(
        self, video: VideoId, folder: Path, manifest: Manifest, surroundings: Surroundings
    ) -> None:
        claims = Claims.all_of(manifest.shape, surroundings.files, folder)
        super().__init__(video, folder, manifest, claims, surroundings, has_torrent=True)
        assert manifest.stamp is not None
        self.path = Path(os.fsdecode(manifest.path))
        self._file = SharedFile(surroundings.files, self.path, manifest.stamp)

    def read(self, first: int, count: int) -> bytes:
        payload, is_vouched_for = self._read(first, count)
        if not is_vouched_for:
            self._verify(first, count, payload)
        return payload

    def verified_read(self, first: int, count: int) -> bytes:
        payload, _ = self._read(first, count)
        self._verify(first, count, payload)
        return payload

    def read_into(self, first: int, count: int, buffer: memoryview) -> int:
        offset, length = self._readable(first, count)
        room = self._room_in(buffer, length)
        is_vouched_for = self._ask(lambda file: file.read_into(offset, room))
        if not is_vouched_for:
            self._verify(first, count, room)
        return length

    def relocate(self, path: Path, stamp: Stamp) -> None:
        """The file has another name now; whoever reads it does not notice.

        Raises: ContentChanged when it is not the file that was shared."""
        file = SharedFile(self._around.files, path, stamp)
        if not file.stamp_now().is_same_content(self._file.stamp):
            raise self._other_bytes()
        before, self._file, self.path = self._file, file, path
        problem = self.problem if self._manifest.is_distrusted else ""
        self._remember(path=os.fsencode(path.absolute()), stamp=stamp, problem=problem)
        self._around.files.forget(before.path)

    def write(self, first: int, payload: bytes | memoryview, leaves: bytes) -> list[int]:
        raise LocalUsageError(f"{self.path.name} belongs to its owner: it is never written to")

    def give_back(self, pieces: range) -> None:
        raise LocalUsageError(f"{self.path.name} belongs to its owner: it is not ours to free")

    def check(self) -> bool:
        try:
            now = self._file.stamp_now()
            if now != self._file.stamp or self._manifest.is_distrusted:
                self._rehash(now)
        except ContentChanged as error:
            self._fail(str(error))
            return False
        if self._manifest.problem:
            self._remember(problem="")
        return True

    def sync(self) -> None:
        """Nothing is ever written."""

    def _read(self, first: int, count: int) -> tuple[bytes, bool]:
        offset, length = self._readable(first, count)
        return self._ask(lambda file: file.read(offset, length))

    def _ask(self, reading: Callable[[SharedFile], T]) -> T:
        """The file, wherever it lies. Raises: ContentChanged, which is remembered."""
        while True:
            file = self._file
            try:
                return reading(file)
            except ContentChanged as error:
                if file is self._file:
                    self._fail(str(error))
                    raise
                # it was relocated meanwhile: there, then

    def _readable(self, first: int, count: int) -> tuple[int, int]:
        if self.problem and not self._is_removed:
            raise ContentChanged(self.problem)
        return self._span(first, count)

    def _verify(self, first: int, count: int, payload: bytes | memoryview) -> None:
        if leaf_hashes(payload) != self._read_leaves(first, count):
            error = self._other_bytes()
            self._fail(str(error), is_distrusted=True)
            raise error

    def _rehash(self, now: Stamp) -> None:
        """Trust the file's new stamp if every byte is the old one. Raises: ContentChanged."""
        file = SharedFile(self._around.files, self.path, now)
        for first in range(0, self.shape.blocks, _CHECK_BLOCKS):
            count = min(_CHECK_BLOCKS, self.shape.blocks - first)
            payload, _ = file.read(*self.shape.span(first, count))
            if leaf_hashes(payload) != self._read_leaves(first, count):
                self._remember(is_distrusted=True)
                raise self._other_bytes()
        self._file = file
        self._remember(stamp=now, problem="", is_distrusted=False)

    def _other_bytes(self) -> ContentChanged:
        return ContentChanged(
            f"{self.path.name} was changed after it was shared: share it again as it is now"
        )

    def _lose_proofs(self, piece: int) -> None:
        self._fail(f"the proofs of {self.path.name} were damaged on disk: share it again")

    def _fail(self, problem: str, *, is_distrusted: bool = False) -> None:
        if self._manifest.problem != problem:
            is_distrusted = is_distrusted or self._manifest.is_distrusted
            self._remember(problem=problem, is_distrusted=is_distrusted)
