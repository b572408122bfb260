"""All videos being read or copied: swarms, who follows what, and whole copies."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from headwater.catalog.catalogue import Catalogue
from headwater.catalog.rows import CataloguedVideo
from headwater.errors import NodeError, NotFound
from headwater.node.config import StoreConfig
from headwater.store.shape import VideoShape
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.transfer.client import BlockClient, ClientCounters
from headwater.transfer.followers import Followers
from headwater.transfer.passing import PassingVideo
from headwater.transfer.port import Blocks, Neighbour, Neighbours
from headwater.transfer.reader import MAX_AHEAD_BYTES, Reader, Reading
from headwater.transfer.swarm import Origin, Swarm
from headwater.transfer.views import SourcesView, view_of
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.items import HoldingState
from headwater.wire.messages import Follow, Have, Unfollow

__all__ = ["Transfers"]

log = logging.getLogger(__name__)

LINGER_S = 15.0
"""A swarm that nobody reads from any more is kept for this long: players come back."""
SEEK_HOLDERS_S = 2.0
ANNOUNCE_LATER_S = 0.2
MAX_DIALLED_HOLDERS = 8


@dataclass(slots=True, eq=False)
class _Active:
    swarm: Swarm
    task: "asyncio.Task[None]"
    seeking: "asyncio.Task[None]"
    copies: int = 0
    idle_since: float | None = None


class Transfers:
    """Serves readers and copies from the store and the neighbours; tells followers what is here."""

    def __init__(
        self,
        *,
        me: NodeId,
        store: Store,
        catalogue: Catalogue,
        neighbours: Neighbours,
        client: BlockClient,
        config: StoreConfig,
        clock: Callable[[], float],
        announce: Callable[[VideoId, HoldingState], None],
    ) -> None:
        self._me, self._store, self._catalogue = me, store, catalogue
        self._neighbours, self._client, self._clock = neighbours, client, clock
        self._config, self._announce = config, announce
        self._active: dict[Blocks, _Active] = {}
        self.kept: set[VideoId] = set()
        """What the owner asked for, here or on its way: never dropped to make room."""
        self._passing: dict[VideoId, PassingVideo] = {}
        self._sessions: dict[VideoId, dict[str, Reading]] = {}
        self._followers = Followers(store, neighbours)
        self._group: asyncio.TaskGroup | None = None
        self._seeds = itertools.count(int.from_bytes(me[:4], "big"))

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            self._group.create_task(self._followers.run(), name="transfers.followers")
            while True:
                await asyncio.sleep(1.0)
                self._retire_idle()

    @property
    def counters(self) -> ClientCounters:
        return self._client.counters

    # Reading.

    def reader(self, video: VideoId) -> Reader:
        """A reader of this video. Raises: NotFound when no node ever told us of it."""
        known = self._catalogue.entry(video)
        blocks = self._watched(video, known)
        entry = known.entry if known else None
        return Reader(
            blocks,
            entry.media_type if entry else "application/octet-stream",
            entry.duration_ms if entry else 0,
            lambda: self._enter(blocks).swarm,
            self._sessions.setdefault(video, {}),
            max_ahead_bytes=self._max_ahead_bytes(blocks),
        )

    def _watched(self, video: VideoId, known: CataloguedVideo | None) -> Blocks:
        """Where a player's blocks go: what is stored already, else as the owner wants it."""
        stored = self._store.get(video)
        if stored is not None or known is None or self._config.watching == "store":
            return self.open(video)
        passing = self._passing.get(video)
        if passing is None:
            entry = known.entry
            shape = VideoShape(entry.size_bytes, entry.piece_bytes)
            window = self._config.pass_bytes
            passing = PassingVideo(video, shape, entry.pieces_root, window_bytes=window)
            self._passing[video] = passing
        return passing

    def _max_ahead_bytes(self, blocks: Blocks) -> int:
        is_stored = isinstance(blocks, StoredVideo)
        return MAX_AHEAD_BYTES if is_stored else min(MAX_AHEAD_BYTES, self._config.pass_bytes // 2)

    def open(self, video: VideoId) -> StoredVideo:
        """What is stored of it, begun now if nothing was. Raises: NotFound."""
        stored = self._store.get(video)
        if stored is None:
            known = self._catalogue.entry(video)
            if known is None:
                raise NotFound(f"no node has told of a video {video.hex()[:10]}…")
            entry = known.entry
            shape = VideoShape(entry.size_bytes, entry.piece_bytes)
            stored = self._store.begin(video, shape, entry.pieces_root)
        return stored

    def _enter(self, blocks: Blocks) -> _Active:
        """The swarm that fetches these blocks, started if it does not run."""
        active = self._active.get(blocks)
        if active is None:
            if self._group is None:
                raise NotFound("the node is not running")
            rng = Random(next(self._seeds))
            attach = blocks.attach if isinstance(blocks, StoredVideo) else None
            swarm = Swarm(
                blocks,
                self._client,
                self._clock,
                rng,
                self._pieces_arrived,
                attach,
                self._make_room,
            )
            self._add_known_sources(swarm)
            task = self._group.create_task(self._run_swarm(swarm), name="transfers.swarm")
            seeking = self._group.create_task(self._seek_holders(swarm), name="transfers.seek")
            active = self._active[blocks] = _Active(swarm, task, seeking)
        active.idle_since = None
        return active

    async def _run_swarm(self, swarm: Swarm) -> None:
        try:
            await swarm.run()
        except* NodeError as errors:
            log.warning("transfers.swarm_failed", extra={"reason": str(errors.exceptions[0])})
            self._active.pop(swarm.stored, None)

    def _retire_idle(self) -> None:
        now = self._clock()
        for blocks, active in list(self._active.items()):
            if active.copies or active.swarm.schedule.has_readers():
                active.idle_since = None
            elif active.idle_since is None:
                active.idle_since = now
            elif now - active.idle_since > LINGER_S:
                self._retire(blocks)

    def stop(self, video: VideoId) -> None:
        """End the fetching of this video at once."""
        for active in self._actives(video):
            self._retire(active.swarm.stored)

    def _retire(self, blocks: Blocks) -> None:
        active = self._active.pop(blocks)
        active.task.cancel()
        active.seeking.cancel()
        if self._passing.get(blocks.video) is blocks:
            del self._passing[blocks.video]
        if not self._actives(blocks.video):
            for neighbour in self._neighbours.connected().values():
                neighbour.send(Unfollow(blocks.video))

    def retracted(self, video: VideoId) -> None:
        """Its channel took it back: what nobody watches now, or asked to keep, is dropped."""
        stored = self._store.get(video)
        is_listed = self._catalogue.entry(video) is not None
        if stored is None or not stored.is_fetched or is_listed:
            return
        if video not in self.kept and not self._actives(video):
            self._store.remove(video)
            self.gone(video)

    def _make_room(self) -> bool:
        """Drop what was only watched, longest ago of all; False where there is nothing."""
        watched = [
            stored
            for video in self._store.videos()
            if (stored := self._store.get(video)) is not None
            and stored.is_fetched
            and video not in self.kept
            and not self._actives(video)
        ]
        if not watched:
            return False
        oldest = min(watched, key=lambda stored: stored.path.stat().st_mtime)
        log.info("transfers.dropped_watched", extra={"video": oldest.video.hex()[:10]})
        self._store.remove(oldest.video)
        self.gone(oldest.video)
        return True

    def _actives(self, video: VideoId) -> list[_Active]:
        return [active for blocks, active in self._active.items() if blocks.video == video]

    # Sources.

    def _add_known_sources(self, swarm: Swarm) -> None:
        """Neighbours that should have it are asked without waiting for their word."""
        holders = self._catalogue.holders(swarm.stored.video)
        for node, neighbour in self._neighbours.connected().items():
            neighbour.send(Follow(swarm.stored.video))
            if node in holders.whole:
                swarm.add_source(node, neighbour.rtt_s, whole=True)

    async def _seek_holders(self, swarm: Swarm) -> None:
        """Dial holders that are no neighbours, for as long as the swarm runs."""
        if swarm.schedule.sources():
            await asyncio.sleep(ANNOUNCE_LATER_S)  # somebody waits for the first blocks now
        if isinstance(swarm.stored, StoredVideo) and not swarm.stored.is_whole:
            self._announce(swarm.stored.video, "partial")
        while True:
            for node in self._unconnected_holders(swarm.stored.video)[:MAX_DIALLED_HOLDERS]:
                record = self._catalogue.record(node)
                if record is not None and record.addresses:
                    try:
                        await self._neighbours.dial(node, record.addresses)
                    except NodeError as error:
                        log.debug("transfers.dial_failed", extra={"reason": str(error)})
            await asyncio.sleep(SEEK_HOLDERS_S)

    def _unconnected_holders(self, video: VideoId) -> list[NodeId]:
        holders = self._catalogue.holders(video)
        connected = self._neighbours.connected()
        nodes = [*holders.whole, *holders.partial]
        return [node for node in nodes if node != self._me and node not in connected]

    def neighbour_up(self, neighbour: Neighbour) -> None:
        for blocks, active in self._active.items():
            neighbour.send(Follow(blocks.video))
            if neighbour.node in self._catalogue.holders(blocks.video).whole:
                active.swarm.add_source(neighbour.node, neighbour.rtt_s, whole=True)

    def neighbour_down(self, node: NodeId) -> None:
        self._client.neighbour_down(node)
        for active in self._active.values():
            active.swarm.remove_source(node)
        self._followers.neighbour_down(node)

    def control(self, neighbour: Neighbour, message: Follow | Unfollow | Have) -> None:
        """What a neighbour says about videos. Raises: RemoteProtocolError past a bound."""
        video = VideoId(message.video)
        match message:
            case Follow():
                self._followers.follow(neighbour, video)
            case Unfollow():
                self._followers.unfollow(neighbour.node, video)
            case Have():
                for active in self._actives(video):
                    self._note_have(active.swarm, neighbour, message)

    def _note_have(self, swarm: Swarm, neighbour: Neighbour, have: Have) -> None:
        node = neighbour.node
        if have.gone:
            swarm.remove_source(node)
        elif have.whole or have.bits:
            swarm.add_source(node, neighbour.rtt_s, whole=have.whole)
            swarm.source_has(node, have.first_piece, have.bits, whole=have.whole)

    def _pieces_arrived(self, blocks: Blocks, pieces: Sequence[int]) -> None:
        if blocks.torrent is None:
            return  # cannot be proven to others yet; told of when it is
        self._followers.note(blocks.video, pieces)
        if blocks.is_whole:
            self._announce(blocks.video, "whole")

    def gone(self, video: VideoId) -> None:
        """Nothing of it is served from here any more."""
        self.stop(video)
        self._announce(video, "gone")
        self._followers.gone(video)

    # Whole copies and blobs.

    async def copy(self, video: VideoId, progress: Callable[[int, int], None]) -> StoredVideo:
        """Fetch all of it. Waits while nobody has the rest. Raises: NotFound, StorageFull."""
        stored = self.open(video)
        if stored.is_whole and stored.torrent is not None:
            return stored
        active = self._enter(stored)
        active.copies += 1
        swarm = active.swarm
        swarm.trouble = None
        swarm.hurry_info()
        try:
            while not (stored.is_whole and stored.torrent is not None):
                if stored.torrent is not None:
                    swarm.schedule.want_all(True)
                    swarm.wake()
                await swarm.arrival()
                if swarm.trouble is not None:
                    raise swarm.trouble
                progress(stored.have_blocks * 16384, stored.shape.size_bytes)
        finally:
            active.copies -= 1
            if not active.copies:
                swarm.schedule.want_all(False)
                swarm.wake()
        return stored

    async def blob(self, sha256: bytes, hint: VideoId | None = None) -> bytes:
        """A poster, storyboard or subtitle. Raises: NotFound when nobody near has it."""
        here = await asyncio.to_thread(self._store.get_blob, sha256)
        if here is not None:
            return here
        for node in await self._near_holders(hint):
            try:
                blob = await self._client.blob(node, sha256)
            except NodeError:
                continue
            await asyncio.to_thread(self._store.put_blob, blob)
            return blob
        raise NotFound("no machine that can be reached now has this picture")

    async def _near_holders(self, video: VideoId | None) -> list[NodeId]:
        """Neighbours that should have what belongs to this video, dialled if need be."""
        connected = list(self._neighbours.connected())
        if video is None:
            return connected[:MAX_DIALLED_HOLDERS]
        holders = self._catalogue.holders(video).whole
        near = [node for node in connected if node in holders]
        for node in self._unconnected_holders(video)[: 0 if near else 2]:
            record = self._catalogue.record(node)
            if record is not None and record.addresses:
                with suppress(NodeError):
                    await self._neighbours.dial(node, record.addresses)
                    near.append(node)
        return near or connected[:MAX_DIALLED_HOLDERS]

    # For people.

    def sources(self, video: VideoId) -> SourcesView:
        """Where the bytes come from, for the page. Raises: NotFound."""
        known = self._catalogue.entry(video)
        stored = self._store.get(video)
        if known is None and stored is None:
            raise NotFound(f"no node has told of a video {video.hex()[:10]}…")
        size = stored.shape.size_bytes if stored else known.entry.size_bytes if known else 0
        active = next(iter(self._actives(video)), None)
        if active is None:
            whole = (Origin(0, size, None),) if stored is not None and stored.is_whole else ()
            return SourcesView((), whole, size, ())
        now = self._clock()
        is_starving = active.swarm.schedule.is_starving(now)
        waiting = self._unconnected_holders(video) if is_starving else []
        return view_of(active.swarm, self._rtt_ms, waiting, now)

    def _rtt_ms(self, node: NodeId) -> float | None:
        neighbour = self._neighbours.get(node)
        rtt_s = neighbour.rtt_s if neighbour else None
        return None if rtt_s is None else rtt_s * 1000
