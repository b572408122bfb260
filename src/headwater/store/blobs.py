"""Posters, storyboards, subtitles by SHA-256: our own for good, fetched ones while room lasts."""

import logging
from hashlib import sha256
from pathlib import Path
from threading import Lock

from headwater.errors import LocalUsageError
from headwater.store.durable import read_if_there, replace_file, write_error
from headwater.wire.messages import MAX_BLOB_BYTES

__all__ = ["Blobs"]

log = logging.getLogger(__name__)

MAX_FETCHED_BYTES = 256 * 1024 * 1024
"""About 5,000 posters; the oldest go first."""


class Blobs:
    """Shape: a blob has at most MAX_BLOB_BYTES, the fetched ones together MAX_FETCHED_BYTES."""

    def __init__(self, folder: Path) -> None:
        self._own, self._fetched = folder, folder / "fetched"
        self._fetched.mkdir(parents=True, exist_ok=True)
        self._lock = Lock()
        self._fetched_bytes: int | None = None

    def put(self, payload: bytes, *, is_fetched: bool) -> bytes:
        """Its SHA-256. Raises: LocalUsageError when it is too large; StorageFull."""
        if len(payload) > MAX_BLOB_BYTES:
            raise LocalUsageError(f"a blob of {len(payload)} bytes passes {MAX_BLOB_BYTES}")
        digest = sha256(payload).digest()
        folder = self._fetched if is_fetched else self._own
        with self._lock:
            path = folder / digest.hex()
            try:
                if not path.exists():
                    replace_file(path, payload, on_disk=False)  # get notices a damaged one
                    if is_fetched:
                        self._count_fetched(len(payload))
            except OSError as error:
                raise write_error(error, folder) from error
        return digest

    def get(self, digest: bytes) -> bytes | None:
        """None when it is not here, or cannot be read. A damaged one is deleted."""
        for folder in (self._own, self._fetched):
            path = folder / digest.hex()
            try:
                payload = read_if_there(path)
                if payload is not None:
                    if sha256(payload).digest() == digest:
                        return payload
                    path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("store.blob_unreadable", extra={"reason": str(error)})
        return None

    def _count_fetched(self, new_bytes: int) -> None:
        if self._fetched_bytes is None or self._fetched_bytes + new_bytes > MAX_FETCHED_BYTES:
            self._fetched_bytes = self._make_room()
        else:
            self._fetched_bytes += new_bytes

    def _make_room(self) -> int:
        """Delete the oldest until a tenth is free, if they are too many; what is left."""
        found = [(file.stat(), file) for file in self._fetched.iterdir()]
        total = sum(status.st_size for status, _ in found)
        if total > MAX_FETCHED_BYTES:
            for status, file in sorted(found, key=lambda entry: entry[0].st_mtime_ns):
                if total <= MAX_FETCHED_BYTES * 9 // 10:
                    break
                file.unlink(missing_ok=True)
                total -= status.st_size
        return total
