"""Streams an upload into the person's uploads folder: whole under its name, or not there at all."""

import asyncio
import errno
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from headwater.errors import LocalUsageError, StorageFull
from headwater.node.shares_names import free_name, safe_name
from headwater.store.durable import sync_folder

__all__ = ["Uploads"]

_CHECK_EVERY_BYTES = 16 * 1024 * 1024
_WRITE_BYTES = 1024 * 1024
"""Gathered before a thread is asked to write: a page sends 64 KiB at a time."""


class Uploads:
    """The folder; `*.part` in it are under way, or were cut off: the next start clears those."""

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        self._folder, self._reserve_bytes = folder, reserve_bytes
        folder.mkdir(parents=True, exist_ok=True)
        for cut_off in folder.glob("*.part"):
            cut_off.unlink()

    def has(self, path: Path) -> bool:
        """Whether it is a file that was uploaded."""
        is_inside = path.parent in (self._folder.absolute(), self._folder.resolve())
        return is_inside and path.suffix != ".part" and path.is_file() and not path.is_symlink()

    async def receive(
        self,
        name: str,
        chunks: AsyncIterator[bytes],
        total: int | None,
        progress: Callable[[int], None],
    ) -> Path:
        """The file, on disk. Raises: LocalUsageError for an odd name or body; StorageFull."""
        name = safe_name(name)
        self._check_room(total or 0)
        part = self._folder / f"{secrets.token_hex(8)}.part"
        try:
            received = await self._write(part, chunks, progress)
            if received == 0:
                raise LocalUsageError(f"{name} is empty: there is nothing to share")
            if total is not None and received != total:
                raise LocalUsageError(
                    f"{name} was cut off after {received} of {total} bytes: upload it again"
                )
            return await asyncio.to_thread(self._keep, part, name)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise self._full(0) from error
            raise
        finally:
            part.unlink(missing_ok=True)

    async def _write(
        self, part: Path, chunks: AsyncIterator[bytes], progress: Callable[[int], None]
    ) -> int:
        received, unchecked = 0, 0
        with await asyncio.to_thread(part.open, "xb", buffering=0) as file:
            gathered: list[bytes] = []
            async for chunk in chunks:
                gathered.append(chunk)
                received, unchecked = received + len(chunk), unchecked + len(chunk)
                if sum(map(len, gathered)) >= _WRITE_BYTES:
                    await asyncio.to_thread(_write_all, file.fileno(), b"".join(gathered))
                    gathered.clear()
                    progress(received)
                if unchecked >= _CHECK_EVERY_BYTES:
                    self._check_room(0)
                    unchecked = 0
            await asyncio.to_thread(_write_all, file.fileno(), b"".join(gathered))
            await asyncio.to_thread(os.fsync, file.fileno())
        progress(received)
        return received

    def _keep(self, part: Path, name: str) -> Path:
        """Under a name that nobody has: a link never replaces a file, as a rename would."""
        while True:
            target = self._folder / free_name(name, lambda taken: (self._folder / taken).exists())
            try:
                os.link(part, target)
            except FileExistsError:
                continue
            except OSError:  # a file system without links
                part.rename(target)
            sync_folder(self._folder)
            return target

    def _check_room(self, needed_bytes: int) -> None:
        if shutil.disk_usage(self._folder).free - self._reserve_bytes < needed_bytes:
            raise self._full(needed_bytes)

    def _full(self, needed_bytes: int) -> StorageFull:
        takes = f", and the upload takes {needed_bytes // 1_000_000} MB" if needed_bytes else ""
        return StorageFull(f"the disk of {self._folder} is full{takes}: make room, then try again")


def _write_all(descriptor: int, payload: bytes) -> None:
    view = memoryview(payload)
    while view:
        view = view[os.write(descriptor, view) :]
