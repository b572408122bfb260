"""Opens files that are files: no pipe that never ends, no device."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from headwater.errors import MediaError, NotFound

__all__ = ["open_regular", "read_head"]


def open_regular(path: Path) -> BinaryIO:
    """The file, for reading. Raises: NotFound; MediaError when it is a pipe, a device, a folder."""
    try:
        # Without O_NONBLOCK a named pipe would keep us waiting for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise NotFound(f"{path.name} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MediaError(f"{path.name} is not a regular file")
    return os.fdopen(descriptor, "rb")


def read_head(path: Path, length: int) -> bytes:
    """The first bytes. Raises as open_regular; NotFound when they cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(length)
    except OSError as error:
        raise NotFound(f"{path.name} cannot be read: {error.strerror}") from error
