"""Makes iroh's bindings take `bytes` at memory speed: the wheel copies them one by one, in Python
(10 MB/s).

Fixed upstream (mozilla/uniffi-rs#2824) but not in iroh 1.2.0. A test tells when this module can go.
"""

import ctypes
from typing import Any

from iroh import iroh_ffi

__all__ = ["install", "is_slow"]


def is_slow(write: Any) -> bool:
    """Whether a buffer's `write` method is the one that loops over the single bytes."""
    return "enumerate" in write.__code__.co_names


def _write(self: Any, value: bytes) -> None:
    with self._reserve(len(value)):
        start = ctypes.addressof(self.rbuf.data.contents) + self.rbuf.len
        ctypes.memmove(start, bytes(value), len(value))


def install() -> None:
    """Replace the slow method; does nothing once the wheel has a fast one."""
    builder: Any = iroh_ffi._UniffiRustBufferBuilder
    if is_slow(builder.write):
        builder.write = _write
