"""What this node shares of the person's own: folders that it watches, single files, uploads."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from headwater.catalog.catalogue import Catalogue
from headwater.errors import (
    Conflict,
    LocalUsageError,
    NodeError,
    NotFound,
    StorageFull,
    Unavailable,
)
from headwater.node.activity import Activity, Job
from headwater.node.config import Config
from headwater.node.events import Event, Events
from headwater.node.shares_entry import Channel
from headwater.node.shares_files import SharedFiles
from headwater.node.shares_index import Folder, Record, SharesIndex
from headwater.node.shares_lookout import Lookout
from headwater.node.shares_publication import Publication, relocate
from headwater.node.shares_scan import look, shown
from headwater.node.shares_settle import SETTLE_S
from headwater.node.shares_tally import Tallies
from headwater.node.shares_upload import Uploads
from headwater.node.shares_work import Work
from headwater.store.manifest import Stamp
from headwater.store.store import Store
from headwater.wire.ids import VideoId
from headwater.wire.items import Item

__all__ = ["Shared", "Shares", "TakenBack"]

log = logging.getLogger(__name__)

_NEVER_SHARED = ("/", "/proc", "/sys", "/dev")


@dataclass(frozen=True, slots=True)
class Shared:
    """A file of the person's. `video` is None while it is not (or cannot be) shared."""

    path: Path
    video: VideoId | None
    problem: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What is shared no more. `uploads`: files of it that lie in the node's own folder, perhaps the
    only copies that there are: they stay until somebody deletes them."""

    videos: list[VideoId]
    uploads: list[Path]


class Shares:
    """Theory of operation. The lookout finds files and waits until they have settled; the work
    makes entries of them through the publication; the files remember what became of each and tell
    the mesh. All of it happens in run(); what is asked for before that waits for it."""

    def __init__(
        self,
        config: Config,
        store: Store,
        identity_key: Ed25519PrivateKey,
        publish: Callable[[Sequence[Item]], None],
        catalogue: Catalogue,
        activity: Activity,
        events: Events,
        *,
        settle_s: float = SETTLE_S,
    ) -> None:
        """Clears what a killed node left half. `settle_s`: how long a file must have been still.

        Raises: OSError, StorageFull."""
        state, reserve = config.state, config.store.reserve_bytes
        channel = Channel(identity_key, catalogue)
        self._config, self._activity, self._events = config, activity, events
        self._index = SharesIndex(state / "shares.db")
        self._files = SharedFiles(self._index, channel, store, publish, events)
        self._tallies = Tallies(activity)
        publication = Publication(store, state / "tmp", reserve, activity, channel.author)
        self._work = Work(
            self._files, publication, activity, self._tallies, prepares=config.prepare == "auto"
        )
        self._uploads = Uploads(state / "uploads", reserve)
        self._lookout = Lookout(self._files, state, self, settle_s)
        self._store = store

    async def run(self) -> None:
        """Watch and publish until cancelled."""
        try:
            self._tell_damage()
            self._files.tell_again()
            for path in self._config.folders:
                self._share_at_start(path)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._work.run(), name="shares.work")
                group.create_task(self._lookout.run(), name="shares.lookout")
                group.create_task(self._drop_from_store(), name="shares.drop")
        finally:
            self._index.close()

    def share(
        self, path: Path, *, prepare: bool | None = None, title: str | None = None
    ) -> list[Job]:
        """A file: published once it stays as it is. A folder: watched from now on.

        Raises: NotFound; LocalUsageError when it cannot be shared at all."""
        path = self._resolve(path)
        if path.is_dir():
            return [self._watch_folder(path, prepare)]
        seen = look(path, None)
        if not isinstance(seen, Stamp):
            raise LocalUsageError(
                f"{path.name} cannot be shared: {seen or 'it is no regular file'}"
            )
        return [self._ask_for(path, seen, self._activity.start("share", path.name), prepare, title)]

    def unshare(self, path: Path | None = None, video: VideoId | None = None) -> TakenBack:
        """Take back a file, a folder with all in it, or a video; the files themselves stay.

        Raises: NotFound when it is not shared."""
        if path is not None:
            path = Path(path.absolute()) if not path.exists() else path.resolve()
            if path in self._files.folders:
                return TakenBack(self._unwatch_folder(path), [])
            is_shared = self._files.get(path) is not None or self._files.folder_of(path) is not None
            paths = [path] if is_shared else []
        else:
            paths = list(self._files.paths_of(video or b""))
        if not paths:
            raise NotFound(f"{path or 'this video'} is not shared from here")
        videos = [gone for each in paths if (gone := self._take_back(each)) is not None]
        return TakenBack(videos, [each for each in paths if self._uploads.has(each)])

    async def delete_upload(self, path: Path) -> None:
        """Delete an uploaded file for good.

        Raises: NotFound when it is none; Conflict while it is shared; OSError."""
        if not self._uploads.has(path):
            raise NotFound(f"{path} is no file that was uploaded to this node")
        if self._files.get(path) is not None:
            raise Conflict(f"{path.name} is still shared: stop sharing it first")
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def receive_upload(
        self, name: str, chunks: AsyncIterator[bytes], total: int | None
    ) -> Job:
        """Keep an upload in the state's `uploads` folder, as the person's file, and share it there.

        `chunks` raises Unavailable when its sender goes away.

        Raises: LocalUsageError, StorageFull; Unavailable when it was cancelled at either end."""
        job = self._activity.start("upload", name[:255] or "upload")
        loop = asyncio.get_running_loop()

        def tell(received: int) -> None:
            self._activity.progress(job, "receiving", received, total or received)

        tell(0)
        try:
            async with asyncio.timeout(None) as scope:
                job.cancel = lambda: scope.reschedule(loop.time())
                path = await self._uploads.receive(name, chunks, total, tell)
            seen = look(path, None)
            if not isinstance(seen, Stamp):
                raise LocalUsageError(f"{path.name} cannot be shared: {seen}")
        except TimeoutError:
            self._activity.end(job, "cancelled")
            raise Unavailable(f"the upload of {name} was cancelled") from None
        except asyncio.CancelledError:
            self._activity.end(job, "cancelled", "the sender went away")
            raise
        except Unavailable as error:
            self._activity.end(job, "cancelled", error)
            raise
        except (NodeError, OSError) as error:
            told = error if isinstance(error, NodeError) else str(error)
            self._activity.end(job, "failed", told)
            raise
        return self._ask_for(path, seen, job, None, None)

    def folders(self) -> list[Path]:
        return sorted(self._files.folders)

    def shared(self) -> list[Shared]:
        """All files that are shared, or would be but for a problem."""
        known = [
            Shared(path, VideoId(r.entry.video) if r.entry and r.is_published else None, r.problem)
            for path, r in self._files.items()
            if not r.is_excluded
        ]
        return known + [Shared(path, None, why) for path, why in self._files.problems.items()]

    # What the lookout asks for.

    def has_room(self) -> bool:
        return self._work.has_room()

    def settled(self, path: Path, stamp: Stamp) -> None:
        self._work.add(path, stamp)

    def scanned(self, folder: Path, new: dict[Path, Stamp]) -> None:
        self._tallies.scanned(folder, new)

    def gone(self, path: Path) -> None:
        self._work.drop(path)
        record = self._files.get(path)
        if record is not None and record.is_asked and self._files.folder_of(path) is None:
            self._files.gone(path, "it was deleted or moved: put it back, or share it where it is")
        else:
            self._files.gone(path)

    async def moved(self, old: Path, new: Path, stamp: Stamp) -> None:
        record = self._files.get(old)
        if record is not None and record.entry is not None:
            video = VideoId(record.entry.video)
            try:
                await asyncio.to_thread(relocate, self._store, video, new, stamp)
            except NodeError:
                return  # the next look finds a new file and one that is gone
            self._files.moved(old, new, stamp)

    # Within.

    def _tell_damage(self) -> None:
        if (aside := self._index.moved_aside) is not None:
            told = f"the list of what is shared was damaged ({aside}): share again what is missing"
            self._events.publish(Event("problem", str(aside), told))

    def _share_at_start(self, path: Path) -> None:
        if path.resolve() in self._files.folders:
            return
        try:
            self.share(path)
        except NodeError as error:
            self._files.cannot_share(path, {shown(path): str(error)})

    def _resolve(self, path: Path) -> Path:
        try:
            path = path.resolve(strict=True)
        except OSError as error:
            raise NotFound(f"{path} cannot be shared: {error.strerror}") from error
        if str(path) in _NEVER_SHARED:
            raise LocalUsageError(f"{path} is the whole machine: share a folder of videos instead")
        state = self._config.state.resolve()
        if path == state or (path.is_relative_to(state) and path.parent != state / "uploads"):
            raise LocalUsageError(f"{path} belongs to this node itself: it cannot be shared")
        return path

    def _ask_for(
        self, path: Path, seen: Stamp, job: Job, prepare: bool | None, title: str | None
    ) -> Job:
        before = self._files.get(path) or Record()
        wish = replace(before, is_asked=True, is_excluded=False, prepare=prepare, title=title or "")
        is_same = (before.prepare, before.title) == (wish.prepare, wish.title)
        if is_same and before.entry and before.is_published and self._files.is_known(path, seen):
            self._files.change(path, wish)
            job.video = before.entry.video.hex()
            self._activity.end(job, "done")
            return job
        self._files.change(path, replace(wish, stamp=None))
        job = self._work.expect(path, job)
        self._lookout.expect(path, seen)
        return job

    def _watch_folder(self, folder: Path, prepare: bool | None) -> Job:
        running = self._tallies.job_of(folder)
        if running is not None:
            return running
        self._work.retry()
        job = self._activity.start("share", folder.name)
        job.cancel = lambda: self._cancel_folder(folder)
        for path, record in self._files.below(folder):
            if record.is_excluded or (record.entry is None and record.problem):
                self._files.change(path, replace(record, is_excluded=False, stamp=None, problem=""))
        self._tallies.start(folder, job)
        self._files.add_folder(folder, Folder(prepare))
        self._lookout.places_changed()
        return job

    def _cancel_folder(self, folder: Path) -> None:
        self._unwatch_folder(folder)

    def _unwatch_folder(self, folder: Path) -> list[VideoId]:
        self._files.drop_folder(folder)
        self._tallies.cancelled(folder)
        self._files.cannot_share(folder, {})
        taken: list[VideoId] = []
        for path, record in self._files.below(folder):
            if not record.is_asked and self._files.folder_of(path) is None:
                self._work.drop(path)
                self._lookout.forget(path)
                video = self._files.gone(path)
                if video is not None:
                    taken.append(video)
        self._lookout.places_changed()
        return taken

    def _take_back(self, path: Path) -> VideoId | None:
        self._work.drop(path)
        self._lookout.forget(path)
        video = self._files.gone(path)
        if self._files.folder_of(path) is not None:
            self._files.change(path, Record(is_excluded=True))
        return video

    async def _drop_from_store(self) -> None:
        while True:
            video = await self._files.dropped.get()
            try:
                await asyncio.to_thread(self._files.drop_from_store, video)
            except StorageFull as error:
                log.warning("shares.not_dropped", extra={"reason": str(error)})
