"""Whole copies that somebody asked for: they go on after a restart until they are here."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from headwater.errors import LocalUsageError, NodeError
from headwater.node.activity import Activity, Job
from headwater.node.shares_names import safe_name
from headwater.store.durable import replace_file
from headwater.store.handover import hand_over
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.transfer.transfers import Transfers
from headwater.wire.ids import BLOCK_BYTES, VideoId, short_id
from headwater.wire.items import VideoEntry

__all__ = ["Copies"]

log = logging.getLogger(__name__)

MAX_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A copy on its way: which video, and the folder it goes to (empty: the store)."""

    video: str
    directory: str


@dataclass(frozen=True, slots=True)
class _Noted:
    """copies.json: what is on its way, what of it is paused, and all that the owner asked for (ids
    in hex)."""

    wanted: list[_Wanted]
    kept: list[str]
    paused: list[_Wanted] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Copy:
    """One on its way. `task` fetches it; None while it is paused. A task that is not this one any
    more has no say in what becomes of it."""

    wanted: _Wanted
    video: VideoId
    job: Job
    task: "asyncio.Task[None] | None" = None


class Copies:
    """Fetches whole videos, MAX_AT_ONCE at a time, into the store or a folder of the person's."""

    def __init__(
        self,
        state: Path,
        store: Store,
        transfers: Transfers,
        activity: Activity,
        entry_of: Callable[[VideoId], VideoEntry | None],
    ) -> None:
        self._file = state / "copies.json"
        self._store, self._transfers, self._activity = store, transfers, activity
        self._entry_of = entry_of
        self._copies: dict[_Wanted, _Copy] = {}
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Resume what was under way, then serve until cancelled: what is under way then goes on at
        the next start."""
        async with asyncio.TaskGroup() as self._group:
            noted = self._load()
            for wanted in noted.wanted:
                copy = self._copy_of(wanted)
                if wanted in noted.paused:
                    self._rest(copy)
                else:
                    self._go(copy)
            await asyncio.Event().wait()

    def get(self, video: VideoId, directory: Path | None = None) -> Job:
        """Fetch all of it; the same job when that is under way already.

        Raises: LocalUsageError when `directory` cannot take it."""
        if directory is not None:
            if not directory.is_dir():
                raise LocalUsageError(f"{directory} is no folder: make it first, or name another")
            if not os.access(directory, os.W_OK):
                raise LocalUsageError(f"{directory} cannot be written to: name another folder")
        wanted = _Wanted(video.hex(), str(directory.resolve()) if directory else "")
        copy = self._copies.get(wanted) or self._copy_of(wanted)
        if copy.task is None:
            self._go(copy)
        self._save()
        return copy.job

    def forget(self, video: VideoId) -> None:
        """Nobody wants it whole any more."""
        self._transfers.kept.discard(video)
        for copy in [each for each in self._copies.values() if each.video == video]:
            self._cancel(copy)
        self._save()

    def _copy_of(self, wanted: _Wanted) -> _Copy:
        """A new one, which neither goes nor rests yet."""
        video = VideoId(bytes.fromhex(wanted.video))
        self._transfers.kept.add(video)
        entry = self._entry_of(video)
        job = self._activity.start("get", entry.title if entry else short_id(video))
        job.video = wanted.video
        copy = self._copies[wanted] = _Copy(wanted, video, job)
        job.cancel = partial(self._cancel, copy)
        return copy

    def _go(self, copy: _Copy) -> None:
        if self._group is None:
            raise LocalUsageError("the node is not running")
        job = copy.job
        job.pause, job.resume = partial(self._pause, copy), None
        self._activity.progress(job, "waiting", job.done, job.total)
        copy.task = self._group.create_task(self._fetch(copy), name="copies.get")

    def _rest(self, copy: _Copy) -> None:
        job, stored = copy.job, self._store.get(copy.video)
        job.pause, job.resume = None, partial(self._resume, copy)
        done, total = job.done, job.total
        if stored is not None:
            total = stored.shape.size_bytes
            done = min(total, stored.have_blocks * BLOCK_BYTES)
        self._activity.progress(job, "paused", done, total)

    def _pause(self, copy: _Copy) -> None:
        self._stop(copy)
        self._rest(copy)
        self._save()

    def _resume(self, copy: _Copy) -> None:
        self._go(copy)
        self._save()

    def _cancel(self, copy: _Copy) -> None:
        self._stop(copy)
        self._end(copy, "cancelled")

    def _stop(self, copy: _Copy) -> None:
        task, copy.task = copy.task, None
        if task is not None:
            task.cancel()

    def _end(
        self,
        copy: _Copy,
        phase: Literal["done", "failed", "cancelled"],
        error: str | NodeError = "",
    ) -> None:
        self._activity.end(copy.job, phase, error)
        self._copies.pop(copy.wanted, None)
        self._save()

    async def _fetch(self, copy: _Copy) -> None:
        job, wanted = copy.job, copy.wanted
        try:
            async with self._slots:
                stored = await self._transfers.copy(
                    copy.video,
                    lambda done, total: self._activity.progress(job, "fetching", done, total),
                )
                job.pause = None  # what is left takes a moment, and is better not cut in two
                if wanted.directory:
                    await self._hand_over(stored, Path(wanted.directory))
            size = stored.shape.size_bytes
            self._activity.progress(job, "fetching", size, size)
            self._end(copy, "done")
        except NodeError as error:
            self._end(copy, "failed", error)
        except OSError as error:
            where = wanted.directory or "the store"
            self._end(copy, "failed", f"{where} cannot take it: {error.strerror}")

    async def _hand_over(self, stored: StoredVideo, directory: Path) -> None:
        entry, name = self._entry_of(stored.video), ""
        if entry is not None:
            with suppress(LocalUsageError):  # no name at all: the file's own is taken
                name = safe_name(entry.file_name)
        await asyncio.to_thread(hand_over, self._store, stored.video, directory, name)
        self._transfers.moved(stored.video)

    def _load(self) -> _Noted:
        try:
            noted = msgspec.json.decode(self._file.read_bytes(), type=_Noted)
        except FileNotFoundError:
            return _Noted([], [])
        except (OSError, msgspec.DecodeError) as error:
            log.warning("copies.unreadable", extra={"file": str(self._file), "reason": str(error)})
            return _Noted([], [])
        self._transfers.kept.update(VideoId(bytes.fromhex(video)) for video in noted.kept)
        return noted

    def _save(self) -> None:
        kept = [video.hex() for video in self._transfers.kept]
        paused = [wanted for wanted, copy in self._copies.items() if copy.task is None]
        noted = _Noted(list(self._copies), kept, paused)
        try:
            replace_file(self._file, msgspec.json.encode(noted))
        except OSError as error:  # the list of before stays: at worst a copy goes on once more
            log.warning("copies.not_noted", extra={"file": str(self._file), "reason": str(error)})
