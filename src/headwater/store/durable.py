"""Files that are wholly the old one or wholly the new one, whatever happens; which boot this is."""

import ctypes
import errno
import os
import sys
from pathlib import Path

from headwater.errors import StorageFull

__all__ = ["boot_id", "read_if_there", "replace_file", "sync_folder", "write_error"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def replace_file(path: Path, payload: bytes, *, on_disk: bool = True) -> None:
    """Put `payload` at `path`. `on_disk`: it outlives a power cut too (its name: sync_folder).

    Raises: OSError; the old file is still there then."""
    draft = path.with_name(path.name + ".new")
    try:
        with draft.open("wb") as file:
            file.write(payload)
            if on_disk:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def write_error(error: OSError, path: Path) -> StorageFull:
    """What it is for people that `path` did not take what was written."""
    if error.errno in _FULL:
        return StorageFull(f"the disk of {path} is full: make room on it, then try again")
    return StorageFull(
        f"{path} cannot be written: {error.strerror}: look after its disk and permissions, then"
        " try again"
    )


def sync_folder(folder: Path) -> None:
    """The names in the folder to the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_if_there(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def boot_id() -> str:
    """Another one each time the machine starts, with an empty page cache; "" when unknown."""
    if sys.platform == "linux":
        try:
            return _LINUX_BOOT_ID.read_text().strip()
        except OSError:
            return ""
    if sys.platform == "darwin":
        value, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        libc = ctypes.CDLL(None)
        # the session's uuid, not kern.boottime: that one moves when the clock is set
        if libc.sysctlbyname(b"kern.bootsessionuuid", value, ctypes.byref(size), None, 0) == 0:
            return value.value.decode()
    return ""
