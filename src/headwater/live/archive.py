"""What is kept of lives: spools on disk, recordings finished, also after a crash."""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from headwater.catalog.catalogue import Catalogue
from headwater.errors import MediaError, NodeError, NotFound, StorageFull
from headwater.live.about import About, read_about, write_about
from headwater.live.placing import place, spans_of
from headwater.live.recording import adopt_whole, record
from headwater.live.spool import Spool
from headwater.media import jobs
from headwater.media.worker import in_process
from headwater.node.activity import Activity
from headwater.store.durable import write_error
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.store.torrent import Torrent
from headwater.wire.groups import parse_groups
from headwater.wire.ids import LiveId, NodeId, VideoId, parse_hex_id, short_id
from headwater.wire.items import (
    HoldingState,
    Item,
    LiveEntry,
    Retraction,
    VideoEntry,
    item_key,
    sign_item,
)

__all__ = ["Archive", "Videos"]

log = logging.getLogger(__name__)

FORGOTTEN_S = 7 * 24 * 3600.0
"""What was kept of a live that never became a recording is deleted after this long."""
RECOVER_AGAIN_S, MAX_RECOVER_AGAIN_S = 5.0, 300.0
"""Between attempts to finish what a crash cut short; doubled each time."""


class Videos:
    """What an archive needs of the node's ordinary videos."""

    def __init__(
        self,
        *,
        open_video: Callable[[VideoId], StoredVideo],
        info_of: Callable[[VideoId], Awaitable[Torrent]],
        blob: Callable[[bytes, VideoId], Awaitable[bytes]],
        keep: Callable[[VideoId], object],
        announce: Callable[[VideoId, HoldingState], None],
    ) -> None:
        self.open_video, self.info_of, self.blob = open_video, info_of, blob
        self.keep, self.announce = keep, announce


class Archive:
    def __init__(
        self,
        folder: Path,
        store: Store,
        catalogue: Catalogue,
        key: Ed25519PrivateKey,
        node: NodeId,
        publish: Callable[[Sequence[Item]], None],
        videos: Videos,
        activity: Activity,
        reserve_bytes: int,
    ) -> None:
        """Blocks: of what a crash has left, that goes which nobody wants."""
        self._folder, self._store, self._catalogue = folder, store, catalogue
        self._key, self._node, self._publish = key, node, publish
        self._videos, self._activity, self._reserve_bytes = videos, activity, reserve_bytes
        self._waiting: dict[LiveId, About] = {}
        """Kept, and not yet heard of as a recording."""
        self._unfinished: list[About] = []
        """Made here, and cut short before this node started."""
        try:
            self._look()
        except OSError:
            log.exception("live.recovery_failed")

    def is_kept(self, live: LiveId) -> bool:
        """Something of it was kept before, and waits for the rest."""
        return live in self._waiting

    def open(self, about: About, keep_us: int | None) -> Spool:
        """A spool for this live, with what lies there. Blocks shortly. Raises: StorageFull."""
        try:
            spool = Spool(self._folder_of(about), keep_us, self._reserve_bytes)
            if about.is_mine:
                write_about(spool.folder, about)
            else:  # it can be watched on a full disk, too
                self.note(spool, about)
        except OSError as error:
            told = write_error(error, self._folder)
            if about.is_mine:
                told = StorageFull(f"{told}, or go on air without a recording (--no-record)")
            raise told from error
        self._waiting.pop(LiveId(about.entry.live), None)
        return spool

    def _folder_of(self, about: About) -> Path:
        return self._folder / about.entry.live.hex()

    def note(self, spool: Spool, about: About) -> None:
        """It is described otherwise now. Never raises: at worst a crash finds the old title."""
        try:
            write_about(spool.folder, about)
        except OSError as error:
            log.warning("live.not_noted", extra={"reason": str(error)})

    def wait_for(self, about: About) -> None:
        """Kept, and not yet heard of as a recording: that may come later."""
        self._waiting[LiveId(about.entry.live)] = about

    # Of our own.

    async def poster(self, spool: Spool) -> bytes:
        """The SHA-256 of a picture of what has been recorded so far; empty where there is none.
        Raises: StorageFull."""
        segments = [segment for segment in spool.segments() if segment.keys]
        if not segments:
            return b""
        path = segments[-1].path
        try:
            extras = await in_process(jobs.make_extras, path, path)
        except MediaError:
            return b""
        if not extras.poster:
            return b""
        return await asyncio.to_thread(self._store.put_blob, extras.poster)

    async def finish(self, live: LiveEntry, spool: Spool) -> VideoId | None:
        """The recording of a live made here, shared; None when there is nothing to share.
        Raises: NodeError; what was recorded stays, for another try."""
        job = self._activity.start("share", live.title)
        self._activity.progress(job, "hashing", 0, spool.size_bytes)
        try:
            entry = await self._record(live, spool)
        except NotFound:
            self._activity.end(job, "cancelled", "nothing was recorded")
            return None
        except NodeError as error:
            self._activity.end(job, "failed", error)
            raise
        except BaseException:
            self._activity.end(job, "cancelled")
            raise
        job.video = entry.video.hex()
        self._activity.end(job, "done")
        return VideoId(entry.video)

    async def _record(self, live: LiveEntry, spool: Spool) -> VideoEntry:
        """Into the store, and told; when that was cut short in between, it is only told."""
        about = await asyncio.to_thread(read_about, spool.folder)
        entry = about.recording if about is not None else None
        if entry is None or self._store.get(VideoId(entry.video)) is None:
            try:
                entry = await self._move(live, spool)
            except OSError as error:
                raise write_error(error, spool.folder) from error
        self._tell(entry)
        return entry

    async def _move(self, live: LiveEntry, spool: Spool) -> VideoEntry:
        recorded = await record(live, spool, self._store, self._node)
        about = About(live, self._channel(), True, False, recorded.entry)
        await asyncio.to_thread(write_about, spool.folder, about)
        await asyncio.to_thread(
            self._store.adopt, recorded.torrent, recorded.leaves, recorded.path, owned=True
        )
        return recorded.entry

    def take_back(self, video: VideoId) -> None:
        """Retract the recording of a live made here; of any other video nothing happens."""
        known = self._catalogue.entry(video)
        author = self._channel()
        if known is not None and known.entry.live and known.channel == author:
            version = self._catalogue.next_version(item_key(VideoEntry, author, video))
            self._publish([sign_item(self._key, Retraction(version, video))])

    def _channel(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def _tell(self, entry: VideoEntry) -> None:
        version = self._catalogue.next_version(item_key(VideoEntry, self._channel(), entry.video))
        self._publish([sign_item(self._key, replace(entry, version=version))])

    # Of others.

    async def adopt(self, video: VideoId, spool: Spool) -> None:
        """Make what was kept a copy of the recording; the rest is fetched. Raises: NodeError."""
        known = self._catalogue.entry(video)
        if known is None:
            raise NotFound("the recording is not known yet")
        entry = known.entry
        segments = [segment for segment in spool.segments() if len(segment)]
        if len(segments) == 1 and await adopt_whole(entry, segments[0], self._store):
            self._videos.announce(video, "whole")
        elif segments:
            await self._place(entry, video, spool)
            self._videos.keep(video)
        await asyncio.to_thread(spool.remove)

    async def _place(self, entry: VideoEntry, video: VideoId, spool: Spool) -> None:
        stored = self._videos.open_video(video)
        if stored.torrent is None:
            stored.attach(await self._videos.info_of(video))
        torrent = stored.torrent
        if not entry.groups or torrent is None:
            return
        groups = parse_groups(await self._videos.blob(entry.groups, video), entry.size_bytes)

        def work() -> int:
            segments = [(segment, segment.heads()) for segment in spool.segments()]
            return place(stored, torrent, spans_of(groups, segments))

        placed = await asyncio.to_thread(work)
        log.info("live.placed", extra={"video": short_id(video), "pieces": placed})

    # After a restart.

    def _look(self) -> None:
        """What there is from before this node started. Raises: OSError."""
        for folder in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            about = read_about(folder)
            if about is None or not (about.is_mine or about.is_kept) or _is_stale(folder):
                shutil.rmtree(folder, ignore_errors=True)
            elif about.is_mine:
                self._unfinished.append(about)
            else:
                self.wait_for(about)

    async def recover(self, told: Callable[[LiveEntry], None]) -> None:
        """Finish what a crash cut short; `told` gets the entries of our own that became
        recordings. Until all have: what fails is tried again."""
        for found in self._catalogue.search("", limit=1000).videos if self._waiting else ():
            await self.heard_of(found.entry, found.channel)
        wait_s = RECOVER_AGAIN_S
        while True:
            self._unfinished = [a for a in self._unfinished if not await self._is_finished(a, told)]
            if not self._unfinished:
                return
            await asyncio.sleep(wait_s)
            wait_s = min(MAX_RECOVER_AGAIN_S, 2 * wait_s)

    async def _is_finished(self, about: About, told: Callable[[LiveEntry], None]) -> bool:
        try:
            await self._finish_own(about, told)
        except (NodeError, OSError) as error:
            log.warning("live.not_finished", extra={"reason": str(error)})
            return False
        return True

    async def _finish_own(self, about: About, told: Callable[[LiveEntry], None]) -> None:
        folder = self._folder_of(about)
        spool = await asyncio.to_thread(Spool, folder, None, self._reserve_bytes)
        entry = replace(about.entry, parts=max(about.entry.parts, spool.last + 1))
        try:
            video = await self.finish(entry, spool)
        finally:
            await asyncio.to_thread(spool.close)
        told(replace(entry, recording=video or b""))
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def is_waiting_for(self, entry: VideoEntry, channel: NodeId) -> bool:
        about = self._waiting.get(LiveId(entry.live)) if entry.live else None
        return about is not None and about.channel == channel

    async def heard_of(self, entry: VideoEntry, channel: NodeId) -> None:
        """A recording: perhaps of what was kept before a restart."""
        if not self.is_waiting_for(entry, channel):
            return
        del self._waiting[LiveId(entry.live)]
        folder = self._folder / entry.live.hex()
        spool = await asyncio.to_thread(Spool, folder, None, self._reserve_bytes)
        try:
            await self.adopt(VideoId(entry.video), spool)
        except (NodeError, OSError) as error:
            log.info("live.not_adopted", extra={"reason": str(error)})
        finally:
            await asyncio.to_thread(spool.close)


def _is_stale(folder: Path) -> bool:
    try:
        parse_hex_id(folder.name)
        newest = max(path.stat().st_mtime for path in folder.iterdir())
    except (NodeError, OSError, ValueError):
        return True
    return time.time() - newest > FORGOTTEN_S
