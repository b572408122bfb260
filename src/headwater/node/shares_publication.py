"""From a settled file to its entry: look into it, make a copy where it takes one, hash, store."""

import asyncio
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headwater.errors import ContentChanged, MediaError, NodeError, StorageFull, Unavailable
from headwater.media import jobs
from headwater.media.extras import NO_EXTRAS, Extras
from headwater.media.recording import Probe
from headwater.media.regular import read_head
from headwater.media.signature import HEAD_BYTES, may_be_media
from headwater.media.worker import in_process
from headwater.node.activity import Activity, Job
from headwater.node.shares_entry import compose_entry, copy_name, title_of
from headwater.store.manifest import Stamp
from headwater.store.shared_video import SharedVideo
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.store.torrent import Torrent
from headwater.wire.ids import VideoId
from headwater.wire.items import VideoEntry

__all__ = ["Publication", "Wanted", "relocate"]

SMALL_BYTES = 4 * 1024 * 1024
"""Hashed in a thread: milliseconds, where a process of its own takes a tenth of a second."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to be published, as it was when it had settled."""

    path: Path
    stamp: Stamp
    may_prepare: bool
    title: str
    before: VideoEntry | None
    """As it was published last."""
    has_same_bytes: bool
    """As it had when it was published last."""


class Publication:
    """Makes entries. What fails or is cancelled leaves nothing behind; what is killed, until the
    next start."""

    def __init__(
        self, store: Store, scratch: Path, reserve_bytes: int, activity: Activity, node: bytes
    ) -> None:
        self._store, self._scratch, self._reserve_bytes = store, scratch, reserve_bytes
        self._activity, self._node = activity, node
        scratch.mkdir(parents=True, exist_ok=True)
        for left_over in scratch.iterdir():
            left_over.unlink()
        self._untold = _originals(store)

    async def look_into(self, wanted: Wanted, job: Job) -> tuple[Probe | None, str]:
        """What the recording is, None for any other file; and what to tell about it."""
        self._activity.progress(job, "probing", 0, 0)
        if not may_be_media(await asyncio.to_thread(read_head, wanted.path, HEAD_BYTES)):
            return None, ""
        try:
            return await in_process(jobs.probe_file, wanted.path), ""
        except MediaError as error:
            return None, f"it is shared as a plain file, not as a video: {error}"

    def free_bytes(self) -> int:
        """On the disk of the state folder; 0 where that cannot be told. Blocks shortly."""
        try:
            return shutil.disk_usage(self._scratch).free
        except OSError:
            return 0

    def takes_copy(self, wanted: Wanted, probe: Probe | None) -> bool:
        return wanted.may_prepare and probe is not None and probe.needs_copy

    async def in_place(self, wanted: Wanted, probe: Probe | None, job: Job) -> VideoEntry:
        """The entry of the file where it lies. Raises: NodeError."""
        path, stored = wanted.path, self._before(wanted)
        if stored and stored.path == path and await asyncio.to_thread(stored.check):
            return await self._again(wanted, probe, stored, job)
        (torrent, leaves), extras = await _both(
            self._hash(path, path.name, job), self._extras(probe, path, path)
        )
        job.video = torrent.video.hex()
        await _to_the_end(
            partial(self._store.adopt, torrent, leaves, path, owned=False, stamp=wanted.stamp)
        )
        return await self._compose(wanted, torrent, probe, extras)

    async def prepared(self, wanted: Wanted, job: Job) -> VideoEntry:
        """The entry of a copy that browsers play; the file stays as it is. Raises: NodeError."""
        path, stored = wanted.path, self._before(wanted)
        is_same = wanted.has_same_bytes or (stored and _is_newer(stored.path, wanted.stamp))
        if stored and stored.owned and stored.source == path and is_same:
            probe = await in_process(jobs.probe_file, stored.path)
            return await self._again(wanted, probe, stored, job)
        self._check_room(wanted.stamp.size_bytes)
        draft = self._scratch / f"{secrets.token_hex(8)}.mp4"
        try:
            return await self._prepared(wanted, draft, job)
        finally:
            draft.unlink(missing_ok=True)

    def _before(self, wanted: Wanted) -> StoredVideo | None:
        """What the store has of this file already: from before, or from a node that was killed
        before it could tell anybody."""
        known = self._store.get(VideoId(wanted.before.video)) if wanted.before else None
        return known or self._untold.pop(wanted.path, None)

    async def _again(
        self, wanted: Wanted, probe: Probe | None, stored: StoredVideo, job: Job
    ) -> VideoEntry:
        """The entry of what need not be hashed again."""
        torrent = await asyncio.to_thread(lambda: stored.torrent)
        if torrent is None:
            raise Unavailable(f"the proofs of {wanted.path.name} were lost: they are made anew")
        job.video = stored.video.hex()
        extras = await self._extras(probe, stored.path, wanted.path)
        return await self._compose(wanted, torrent, probe, extras)

    async def _prepared(self, wanted: Wanted, draft: Path, job: Job) -> VideoEntry:
        path = wanted.path

        def tell(done: int, total: int) -> None:
            self._check_room(0)
            self._activity.progress(job, "preparing", done, total)

        tell(0, 0)
        probe = await in_process(jobs.prepare_copy, path, draft, progress=tell)
        name = copy_name(path.name)
        (torrent, leaves), extras = await _both(
            self._hash(draft, name, job), self._extras(probe, draft, path)
        )
        if not Stamp.of(await asyncio.to_thread(os.stat, path)).is_same_content(wanted.stamp):
            raise ContentChanged(f"{path.name} changed while it was being prepared")
        job.video = torrent.video.hex()
        await _to_the_end(
            partial(self._store.adopt, torrent, leaves, draft, owned=True, source=path)
        )
        return await self._compose(wanted, torrent, probe, extras)

    async def _hash(self, path: Path, name: str, job: Job) -> tuple[Torrent, bytes]:
        def tell(done: int, total: int) -> None:
            self._activity.progress(job, "hashing", done, total)

        tell(0, 0)
        if (await asyncio.to_thread(path.stat)).st_size <= SMALL_BYTES:
            return await asyncio.to_thread(jobs.create_torrent, _tell_nobody, path, name)
        return await in_process(jobs.create_torrent, path, name, progress=tell)

    async def _extras(self, probe: Probe | None, played: Path, original: Path) -> Extras:
        if probe is None:
            return NO_EXTRAS
        try:
            return await in_process(jobs.make_extras, played, original)
        except NodeError as error:
            log.warning("shares.no_extras", extra={"file": original.name, "reason": str(error)})
            return NO_EXTRAS

    def _check_room(self, needed_bytes: int) -> None:
        free = self.free_bytes() - self._reserve_bytes
        if free < needed_bytes:
            raise StorageFull(
                "there is no room for a copy that browsers can play, about"
                f" {needed_bytes // 1_000_000} MB: make room"
            )

    async def _compose(
        self, wanted: Wanted, torrent: Torrent, probe: Probe | None, extras: Extras
    ) -> VideoEntry:
        return await asyncio.to_thread(
            compose_entry,
            torrent,
            probe,
            extras,
            self._store,
            title=wanted.title or title_of(wanted.path),
            node=self._node,
            created_ms=wanted.before.created_ms if wanted.before else time.time_ns() // 1_000_000,
        )


def relocate(store: Store, video: VideoId, path: Path, stamp: Stamp) -> None:
    """The file of a shared video has another name now. Blocks. Raises: ContentChanged."""
    stored = store.get(video)
    if isinstance(stored, SharedVideo):
        stored.relocate(path, stamp)


async def _to_the_end(function: Callable[[], object]) -> None:
    """In a thread; when cancelled, only after it is done: it must not go on behind our back."""
    running = asyncio.get_running_loop().run_in_executor(None, function)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _originals(store: Store) -> dict[Path, StoredVideo]:
    """What is stored, by the file that it was made of."""
    stored = [video for video in map(store.get, store.videos()) if video is not None]
    shared = ((video.source if video.owned else video.path, video) for video in stored)
    return {path: video for path, video in shared if path is not None}


def _is_newer(copy: Path, original: Stamp) -> bool:
    try:
        return copy.stat().st_mtime_ns > max(original.modified_ns, original.changed_ns)
    except OSError:
        return False


def _tell_nobody(done: int, total: int) -> None:
    """A report that ends here."""


async def _both(
    hashing: Coroutine[None, None, tuple[Torrent, bytes]], looking: Coroutine[None, None, Extras]
) -> tuple[tuple[Torrent, bytes], Extras]:
    """Both at once; the first that fails ends the other."""
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            hashed = group.create_task(hashing, name="shares.hash")
            extras = group.create_task(looking, name="shares.extras")
    except* NodeError as errors:
        failure = errors.exceptions[0]
    if failure is not None:
        raise failure
    return hashed.result(), extras.result()
