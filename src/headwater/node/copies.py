"""Whole copies that somebody asked for: they go on after a restart until they are here."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from headwater.errors import LocalUsageError, NodeError
from headwater.node.activity import Activity, Job
from headwater.node.shares_names import safe_name
from headwater.store.durable import replace_file
from headwater.store.handover import hand_over
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.transfer.transfers import Transfers
from headwater.wire.ids import VideoId, short_id
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
    """copies.json: what is on its way, and all that the owner asked for (ids in hex)."""

    wanted: list[_Wanted]
    kept: list[str]


def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()


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
        self._wanted: dict[_Wanted, asyncio.Task[None] | None] = {}
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._group: asyncio.TaskGroup | None = None
        self._is_stopping = False

    async def run(self) -> None:
        """Resume what was under way, then serve until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for wanted in self._load():
                self._start(wanted)
            await asyncio.Event().wait()

    def get(self, video: VideoId, directory: Path | None = None) -> Job:
        """Fetch all of it. Raises: LocalUsageError when `directory` cannot take it."""
        if directory is not None:
            if not directory.is_dir():
                raise LocalUsageError(f"{directory} is no folder: make it first, or name another")
            if not os.access(directory, os.W_OK):
                raise LocalUsageError(f"{directory} cannot be written to: name another folder")
        wanted = _Wanted(video.hex(), str(directory.resolve()) if directory else "")
        job = self._start(wanted)
        self._save()
        return job

    def forget(self, video: VideoId) -> None:
        """Nobody wants it whole any more."""
        self._transfers.kept.discard(video)
        self._save()
        for wanted, task in list(self._wanted.items()):
            if wanted.video == video.hex() and task is not None:
                task.cancel()

    def _start(self, wanted: _Wanted) -> Job:
        video = VideoId(bytes.fromhex(wanted.video))
        self._transfers.kept.add(video)
        entry = self._entry_of(video)
        job = self._activity.start("get", entry.title if entry else short_id(video))
        job.video = wanted.video
        if self._group is None:
            raise LocalUsageError("the node is not running")
        task = self._group.create_task(self._fetch(wanted, video, job), name="copies.get")
        self._wanted[wanted] = task
        job.cancel = partial(_cancel, task)
        return job

    async def _fetch(self, wanted: _Wanted, video: VideoId, job: Job) -> None:
        try:
            async with self._slots:
                stored = await self._transfers.copy(
                    video, lambda done, total: self._activity.progress(job, "fetching", done, total)
                )
                if wanted.directory:
                    await self._hand_over(stored, Path(wanted.directory))
            size = stored.shape.size_bytes
            self._activity.progress(job, "fetching", size, size)
            self._activity.end(job, "done")
        except NodeError as error:
            self._activity.end(job, "failed", error)
        except OSError as error:
            where = wanted.directory or "the store"
            self._activity.end(job, "failed", f"{where} cannot take it: {error.strerror}")
        except asyncio.CancelledError:
            if self._is_stopping:
                raise  # the copy goes on at the next start
            self._activity.end(job, "cancelled")
        self._wanted.pop(wanted, None)
        self._save()

    async def _hand_over(self, stored: StoredVideo, directory: Path) -> None:
        entry, name = self._entry_of(stored.video), ""
        if entry is not None:
            with suppress(LocalUsageError):  # no name at all: the file's own is taken
                name = safe_name(entry.file_name)
        await asyncio.to_thread(hand_over, self._store, stored.video, directory, name)
        self._transfers.moved(stored.video)

    def stop(self) -> None:
        """The node is about to stop: what is under way is kept for the next start."""
        self._is_stopping = True

    def _load(self) -> list[_Wanted]:
        try:
            noted = msgspec.json.decode(self._file.read_bytes(), type=_Noted)
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            log.warning("copies.unreadable", extra={"file": str(self._file), "reason": str(error)})
            return []
        self._transfers.kept.update(VideoId(bytes.fromhex(video)) for video in noted.kept)
        return noted.wanted

    def _save(self) -> None:
        kept = [video.hex() for video in self._transfers.kept]
        try:
            replace_file(self._file, msgspec.json.encode(_Noted(list(self._wanted), kept)))
        except OSError as error:  # the list of before stays: at worst a copy goes on once more
            log.warning("copies.not_noted", extra={"file": str(self._file), "reason": str(error)})
