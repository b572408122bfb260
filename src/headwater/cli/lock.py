"""One node a state folder: a lock that ends with the process, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headwater.errors import Conflict, Forbidden

__all__ = ["state_lock"]


@contextmanager
def state_lock(state: Path) -> Iterator[None]:
    """Hold the folder, made where missing. Raises: Conflict when another node does, Forbidden."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Forbidden(
            f"the state folder {state} cannot be used ({error.strerror}): "
            "choose another with --state"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise Conflict(
                f"state directory {state} is in use by the node with pid {holder}: stop that one, "
                "or give this one a folder of its own with --state"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)
