"""Publishes settled files: a bounded queue, two that look and hash, one that prepares copies."""

import asyncio
import itertools
from pathlib import Path
from typing import Literal

from headwater.errors import ContentChanged, MediaError, NodeError, StorageFull, Unavailable
from headwater.media.recording import Probe
from headwater.node.activity import Activity, Job
from headwater.node.shares_files import Made, SharedFiles
from headwater.node.shares_index import Record
from headwater.node.shares_publication import Publication, Wanted
from headwater.node.shares_tally import Tallies
from headwater.store.manifest import Stamp
from headwater.wire.ids import VideoId

__all__ = ["Work"]

HASHERS = 2
MAX_QUEUED = 1024
MORE_ROOM_BYTES = 1024 * 1024
"""What found the disk full is tried again when so much more is free than there was then."""

_End = Literal["done", "failed", "cancelled"]
_Queue = asyncio.PriorityQueue[tuple[int, int, Path]]


class Work:
    """Files that were asked for one by one come before those of folders. What changed while it was
    being read is dropped here: the lookout sees it settle again."""

    def __init__(
        self,
        files: SharedFiles,
        publication: Publication,
        activity: Activity,
        tallies: Tallies,
        *,
        prepares: bool,
    ) -> None:
        self._files, self._publication, self._activity = files, publication, activity
        self._tallies, self._prepares = tallies, prepares
        self._wanted: dict[Path, Wanted] = {}
        self._probes: dict[Path, Probe] = {}
        self._jobs: dict[Path, Job] = {}
        self._running: dict[Path, asyncio.Task[None]] = {}
        self._stopped: dict[Path, bool] = {}
        self._full: dict[Path, int] = {}
        """What found the disk full, and how much was free then."""
        self._numbers = itertools.count()
        self._to_read: _Queue = asyncio.PriorityQueue()
        self._to_prepare: _Queue = asyncio.PriorityQueue()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(HASHERS):
                group.create_task(self._serve(self._to_read, group), name="shares.read")
            group.create_task(self._serve(self._to_prepare, group), name="shares.prepare")

    def has_room(self) -> bool:
        return self._to_read.qsize() < MAX_QUEUED and self._to_prepare.qsize() < MAX_QUEUED

    def expect(self, path: Path, job: Job) -> Job:
        """A job that a person started, and that goes on once the file has settled. The one under
        way, if there is one."""
        self._full.pop(path, None)
        known = self._jobs.get(path)
        if known is not None:
            self._activity.end(job, "cancelled", "it is being shared already")
            return known
        self._jobs[path] = job
        job.cancel = lambda: self.cancel(path)
        return job

    def retry(self) -> None:
        """Somebody asks for it: also what finds the disk no emptier than it was."""
        self._full.clear()

    def add(self, path: Path, stamp: Stamp) -> None:
        """It has settled: publish it as it is, unless that is under way or waits for room."""
        known = self._wanted.get(path)
        if known is not None and known.stamp.is_same_content(stamp):
            return
        free_then = self._full.get(path)
        if free_then is not None:
            if self._publication.free_bytes() < free_then + MORE_ROOM_BYTES:
                return
            del self._full[path]
        record = self._files.get(path) or Record()
        folder = self._files.folder_of(path)
        prepare = record.prepare
        if prepare is None and folder is not None:
            prepare = self._files.folders[folder].prepare
        self._wanted[path] = Wanted(
            path,
            stamp,
            self._prepares if prepare is None else prepare,
            record.title,
            record.entry,
            has_same_bytes=record.stamp is not None and record.stamp.is_same_content(stamp),
        )
        self._put(self._to_read, path)

    def cancel(self, path: Path) -> None:
        """Stop it wherever it is; nothing of it stays, and it is not tried again unasked."""
        self._stop(path, is_told=True)

    def drop(self, path: Path) -> None:
        """The file is gone or taken back: whatever is under way for it ends."""
        self._full.pop(path, None)
        self._stop(path, is_told=False)

    def _stop(self, path: Path, *, is_told: bool) -> None:
        task = self._running.get(path)
        if task is not None:
            self._stopped[path] = is_told
            task.cancel()
        elif path in self._jobs or path in self._wanted:
            self._cancelled(path, is_told=is_told)

    def _put(self, queue: _Queue, path: Path) -> None:
        queue.put_nowait((0 if path in self._jobs else 1, next(self._numbers), path))

    async def _serve(self, queue: _Queue, group: asyncio.TaskGroup) -> None:
        while True:
            _, _, path = await queue.get()
            if path not in self._wanted or path in self._running:
                continue
            task = group.create_task(self._publish(self._wanted[path]), name="shares.publish")
            self._running[path] = task
            try:
                await asyncio.wait([task])
            finally:
                del self._running[path]
                self._stopped.pop(path, None)
            if path in self._wanted:  # for the second part of it, or it settled anew meanwhile
                self._put(self._to_prepare if path in self._probes else self._to_read, path)

    async def _publish(self, wanted: Wanted) -> None:
        path = wanted.path
        job = self._jobs.get(path)
        if job is None:
            job = self._jobs[path] = self._activity.start("share", path.name)
        job.cancel = lambda: self.cancel(path)
        try:
            made = await self._make(wanted, job)
            if made is not None:
                self._files.published(path, wanted.stamp, made)
                self._end(wanted, "done")
        except asyncio.CancelledError:
            if path in self._stopped:  # and it is not just the node's end
                self._cancelled(path, is_told=self._stopped.pop(path))
            raise
        except (ContentChanged, Unavailable) as error:
            self._end(wanted, "failed", error)
        except StorageFull as error:
            self._full[path] = self._publication.free_bytes()
            self._files.put_off(path, str(error), is_same=wanted.has_same_bytes)
            self._end(wanted, "failed", error)
        except (NodeError, OSError) as error:
            self._files.failed(path, wanted.stamp, str(error))
            self._end(wanted, "failed", error if isinstance(error, NodeError) else str(error))

    async def _make(self, wanted: Wanted, job: Job) -> Made | None:
        """None: it waits for its turn to be prepared."""
        probe = self._probes.pop(wanted.path, None)
        if probe is not None:
            return await self._prepare(wanted, probe, job)
        probe, note = await self._publication.look_into(wanted, job)
        if probe is not None and self._publication.takes_copy(wanted, probe):
            self._probes[wanted.path] = probe
            self._activity.progress(job, "waiting", 0, 0)
            return None
        return Made(await self._publication.in_place(wanted, probe, job), note=note)

    async def _prepare(self, wanted: Wanted, probe: Probe, job: Job) -> Made:
        try:
            return Made(await self._publication.prepared(wanted, job), is_prepared=True)
        except MediaError as error:
            note = f"it is shared as it is, browsers may not play it: {error}"
            return Made(await self._publication.in_place(wanted, probe, job), note=note)

    def _cancelled(self, path: Path, *, is_told: bool) -> None:
        wanted, job = self._wanted.get(path), self._jobs.get(path)
        if job is not None and job.video:
            self._files.dropped.put_nowait(VideoId(bytes.fromhex(job.video)))
        if is_told and wanted is not None:
            self._files.failed(path, wanted.stamp, "sharing it was cancelled: share it again")
        self._wanted.pop(path, None)
        self._done(path, "cancelled")

    def _end(self, wanted: Wanted, phase: _End, error: str | NodeError = "") -> None:
        if self._wanted.get(wanted.path) is wanted:  # else it has settled anew meanwhile
            del self._wanted[wanted.path]
        self._done(wanted.path, phase, error)

    def _done(self, path: Path, phase: _End, error: str | NodeError = "") -> None:
        self._probes.pop(path, None)
        self._tallies.ended(path, is_shared=phase == "done")
        job = self._jobs.pop(path, None)
        if job is not None:
            self._activity.end(job, phase, error)
