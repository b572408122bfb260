"""The bytes of a video: a person's file, watched for change at every read, or the store's own."""

import os
from pathlib import Path

from headwater.errors import ContentChanged
from headwater.store.manifest import Stamp
from headwater.store.open_files import (
    UNCACHED_BYTES,
    OpenFile,
    OpenFiles,
    datasync,
    punch_hole,
    read_at,
    write_at,
    write_direct,
)

__all__ = ["OwnedFile", "SharedFile", "Truncated"]


class Truncated(Exception):
    """Our own file is shorter than it must be, or gone: nobody but us should have touched it."""


class SharedFile:
    """A person's file: only ever read, and refused once it is not what was shared."""

    def __init__(self, files: OpenFiles, path: Path, stamp: Stamp) -> None:
        self._files, self.path, self.stamp = files, path, stamp

    def read(self, offset: int, length: int) -> tuple[bytes, bool]:
        """The bytes, and whether the file's stamp vouches for them; if not, only their hashes can.

        Raises: ContentChanged, in plain words, when size, time or inode are no longer the same."""
        try:
            with self._borrow() as file:
                sure = self._is_untouched(file.fd)
                payload = read_at(file.fd, offset, length)
                sure = self._is_untouched(file.fd) and sure
        except OSError as error:
            raise self._unreadable(error) from error
        if len(payload) != length:
            raise self._changed()
        return payload, sure

    def read_into(self, offset: int, buffer: memoryview) -> bool:
        """Like read, filling all of `buffer`."""
        try:
            with self._borrow() as file:
                sure = self._is_untouched(file.fd)
                length = os.preadv(file.fd, [buffer], offset)
                sure = self._is_untouched(file.fd) and sure
        except OSError as error:
            raise self._unreadable(error) from error
        if length != len(buffer):
            raise self._changed()
        return sure

    def stamp_now(self) -> Stamp:
        """Of what lies there now. Raises: ContentChanged when no file of that size does."""
        self._files.forget(self.path)
        try:
            with self._borrow() as file:
                now = Stamp.of(os.fstat(file.fd))
        except OSError as error:
            raise self._unreadable(error) from error
        if now.size_bytes != self.stamp.size_bytes:
            raise self._changed()
        return now

    def _borrow(self) -> OpenFile:
        return self._files.borrow(self.path, os.O_RDONLY)

    def _is_untouched(self, fd: int) -> bool:
        status = os.fstat(fd)
        now = Stamp.of(status)
        if now == self.stamp:
            return True
        if not status.st_nlink or not now.is_same_content(self.stamp):
            raise self._changed()
        return False

    def _changed(self) -> ContentChanged:
        self._files.forget(self.path)
        try:
            self.path.stat()
        except OSError as error:
            return self._unreadable(error)
        name = self.path.name
        return ContentChanged(
            f"{name} was changed after it was shared: share it again as it is now"
        )

    def _unreadable(self, error: OSError) -> ContentChanged:
        name = self.path.name
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return ContentChanged(
                f"{name} was deleted or moved after it was shared: put it back into"
                f" {self.path.parent}, or share it where it is now"
            )
        return ContentChanged(f"{name} can no longer be read: {error.strerror}")


class OwnedFile:
    """A sparse file inside the store, of its full size from the first day."""

    def __init__(self, files: OpenFiles, path: Path) -> None:
        self._files, self.path = files, path

    def create(self, size_bytes: int) -> None:
        """Raises: OSError (a disk without sparse files may be full)."""
        self._files.forget(self.path)
        with self.path.open("wb") as file:
            file.truncate(size_bytes)

    def size_bytes(self) -> int:
        """0 when it is not there."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, offset: int, length: int) -> bytes:
        """Raises: Truncated."""
        with self._borrow() as file:
            payload = read_at(file.fd, offset, length)
        if len(payload) != length:
            raise Truncated
        return payload

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Raises: Truncated."""
        with self._borrow() as file:
            if os.preadv(file.fd, [buffer], offset) != len(buffer):
                raise Truncated

    def write(self, offset: int, payload: bytes | memoryview) -> None:
        """Raises: OSError, with part of it written; Truncated when the file is gone."""
        with self._borrow() as file:
            done = 0
            if len(payload) >= UNCACHED_BYTES:
                done = write_direct(self._files, self.path, offset, payload)
            if done < len(payload):
                write_at(file.fd, offset + done, memoryview(payload)[done:])

    def sync(self) -> None:
        """What was written so far outlives a power cut. Raises: OSError, Truncated."""
        with self._borrow() as file:
            datasync(file.fd)

    def punch(self, offset: int, length: int) -> bool:
        """Free the range on disk; False where the system cannot."""
        with self._borrow() as file:
            return punch_hole(file.fd, offset, length)

    def _borrow(self) -> OpenFile:
        try:
            return self._files.borrow(self.path, os.O_RDWR)
        except FileNotFoundError as error:
            raise Truncated from error
