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
from headwater.errors import MediaError, NodeError, NotFound
from headwater.live.about import About, read_about, write_about
from headwater.live.placing import place, spans_of
from headwater.live.recording import adopt_whole, record
from headwater.live.spool import Spool
from headwater.media import jobs
from headwater.media.worker import in_process
from headwater.node.activity import Activity
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
        self._folder, self._store, self._catalogue = folder, store, catalogue
        self._key, self._node, self._publish = key, node, publish
        self._videos, self._activity, self._reserve_bytes = videos, activity, reserve_bytes
        self._waiting: dict[LiveId, About] = {}
        """Kept, and not yet heard of as a recording."""

    def open(self, about: About, keep_us: int | None) -> Spool:
        """A spool for this live. Blocks shortly. Raises: OSError."""
        spool = Spool(self._folder / about.entry.live.hex(), keep_us, self._reserve_bytes)
        write_about(spool.folder, about)
        return spool

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
        """The recording of a live made here, shared; None when there is nothing to share. What
        fails is tried again at the next start."""
        job = self._activity.start("share", live.title)
        self._activity.progress(job, "hashing", 0, spool.size_bytes)
        try:
            recorded = await record(live, spool, self._store, self._node)
            self._tell(recorded.entry)
        except NotFound:
            self._activity.end(job, "cancelled", "nothing was recorded")
            await asyncio.to_thread(spool.remove)
            return None
        except NodeError as error:
            self._activity.end(job, "failed", error)
            return None
        except BaseException:
            self._activity.end(job, "cancelled")
            raise
        job.video = recorded.entry.video.hex()
        self._activity.end(job, "done")
        return VideoId(recorded.entry.video)

    def take_back(self, video: VideoId) -> None:
        """Retract the recording of a live made here; of any other video nothing happens."""
        known = self._catalogue.entry(video)
        author = self._key.public_key().public_bytes_raw()
        if known is not None and known.entry.live and known.channel == author:
            version = self._catalogue.next_version(item_key(VideoEntry, author, video))
            self._publish([sign_item(self._key, Retraction(version, video))])

    def _tell(self, entry: VideoEntry) -> None:
        author = self._key.public_key().public_bytes_raw()
        version = self._catalogue.next_version(item_key(VideoEntry, author, entry.video))
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

    async def recover(self, told: Callable[[LiveEntry], None]) -> None:
        """Finish what a crash cut short; `told` gets the entries of our own that became
        recordings."""
        for folder in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            about = read_about(folder)
            if about is None or not (about.is_mine or about.is_kept) or _is_stale(folder):
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            elif about.is_kept and not about.is_mine:
                self.wait_for(about)
            else:
                await self._finish_own(folder, about, told)
        for found in self._catalogue.search("", limit=1000).videos if self._waiting else ():
            await self.heard_of(found.entry, found.channel)

    async def _finish_own(
        self, folder: Path, about: About, told: Callable[[LiveEntry], None]
    ) -> None:
        spool = await asyncio.to_thread(Spool, folder, None, self._reserve_bytes)
        parts = spool.last + 1
        try:
            video = await self.finish(about.entry, spool)
        finally:
            await asyncio.to_thread(spool.close)
        if video is not None:
            told(replace(about.entry, state="ended", parts=parts, recording=video))
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
        except NodeError as error:
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
