"""File descriptors that stay open between uses, and the system calls made with them."""

import ctypes
import errno
import mmap
import os
import sys
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Self

__all__ = [
    "UNCACHED_BYTES",
    "OpenFile",
    "OpenFiles",
    "datasync",
    "punch_hole",
    "read_at",
    "write_at",
    "write_direct",
]

MAX_OPEN_FILES = 128
UNCACHED_BYTES = 1024 * 1024
"""Writes from this size on are a copy's; what a player reads is smaller, and read again soon."""
_PUNCH_HOLE_KEEP_SIZE = 0x03
_DIRECT = getattr(os, "O_DIRECT", 0)  # macOS has none: an ordinary write then
_RWF_DONTCACHE = 0x80  # Linux 6.14
_can_write_uncached = sys.platform == "linux" and hasattr(os, "pwritev")

datasync = getattr(os, "fdatasync", os.fsync)
"""The bytes and the size to the disk; macOS has only fsync."""


class OpenFile:
    """One descriptor, lent out: `with files.borrow(path, flags) as file: ... file.fd`."""

    __slots__ = ("_files", "fd", "is_stale", "users")

    def __init__(self, files: "OpenFiles", fd: int) -> None:
        self._files, self.fd, self.users, self.is_stale = files, fd, 0, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files._give_back(self)


class OpenFiles:
    """Shape: at most `limit` descriptors, the least recently used go first; more only while they
    are all in use. Thread-safe."""

    def __init__(self, limit: int = MAX_OPEN_FILES) -> None:
        self._limit = limit
        self._lock = Lock()
        self._open: OrderedDict[tuple[Path, int], OpenFile] = OrderedDict()

    def borrow(self, path: Path, flags: int) -> OpenFile:
        """The file, opened now or earlier. Raises: OSError as os.open does."""
        key = (path, flags)
        with self._lock:
            file = self._open.get(key)
            if file is not None:
                self._open.move_to_end(key)
                file.users += 1
                return file
        # O_NONBLOCK: a pipe that took the file's place must not hold this thread for ever
        fresh = OpenFile(self, os.open(path, flags | os.O_NONBLOCK))
        with self._lock:
            file = self._open.setdefault(key, fresh)
            file.users += 1
            self._close_idle()
        if file is not fresh:  # another thread was faster
            os.close(fresh.fd)
        return file

    def forget(self, path: Path) -> None:
        """The next borrow opens the path anew: something else may lie there now."""
        with self._lock:
            for key in [key for key in self._open if key[0] == path]:
                self._retire(self._open.pop(key))

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._retire(self._open.popitem()[1])

    def _give_back(self, file: OpenFile) -> None:
        with self._lock:
            file.users -= 1
            if file.is_stale and not file.users:
                os.close(file.fd)

    def _close_idle(self) -> None:
        excess = len(self._open) - self._limit
        if excess > 0:
            idle = [key for key, file in self._open.items() if not file.users][:excess]
            for key in idle:
                self._retire(self._open.pop(key))

    def _retire(self, file: OpenFile) -> None:
        file.is_stale = True
        if not file.users:
            os.close(file.fd)


def read_at(fd: int, offset: int, length: int) -> bytes:
    """Up to `length` bytes; fewer only where the file ends."""
    payload = os.pread(fd, length, offset)
    while 0 < len(payload) < length and (
        more := os.pread(fd, length - len(payload), offset + len(payload))
    ):
        payload += more  # more than 2 GiB at once, or a network file system
    return payload


def write_direct(files: OpenFiles, path: Path, offset: int, payload: bytes | memoryview) -> int:
    """Hand it to the disk itself, which costs a fifth of the way through the page cache; how many
    bytes were taken: 0 where the file system, or where `payload` lies in memory, forbids it. The
    system drops what the page cache has of the range, so that the two never differ.

    Shape: a disk takes whole pages out of whole pages of memory, as an mmap has them.
    Raises: OSError."""
    whole = len(payload) - len(payload) % mmap.PAGESIZE
    try:
        with files.borrow(path, os.O_RDWR | _DIRECT) as file:
            return os.pwrite(file.fd, memoryview(payload)[:whole], offset)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return 0


def write_at(fd: int, offset: int, payload: bytes | memoryview) -> None:
    """All of `payload`. Raises: OSError; part of it may be written then."""
    written = _write_once(fd, offset, payload)
    while written < len(payload):
        written += os.pwrite(fd, memoryview(payload)[written:], offset + written)


def _write_once(fd: int, offset: int, payload: bytes | memoryview) -> int:
    """Large writes do not stay in the page cache where the system can do without: finding room
    there for a whole film costs more than hashing it."""
    global _can_write_uncached
    if _can_write_uncached and len(payload) >= UNCACHED_BYTES:
        try:
            return os.pwritev(fd, [payload], offset, _RWF_DONTCACHE)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            _can_write_uncached = False  # an older kernel, or a file system that cannot
    return os.pwrite(fd, payload, offset)


def punch_hole(fd: int, offset: int, length: int) -> bool:
    """Free the range on disk, so that it reads as zeros. False where the system cannot."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.fallocate(
        ctypes.c_int(fd),
        ctypes.c_int(_PUNCH_HOLE_KEEP_SIZE),
        ctypes.c_int64(offset),
        ctypes.c_int64(length),
    )
    return bool(done == 0)
