"""All videos being read or copied: joins swarms, those who hold, those who follow, and people."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from headwater.catalog.catalogue import Catalogue
from headwater.errors import ContentChanged, NodeError, NotFound
from headwater.node.config import StoreConfig
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.store.torrent import Torrent
from headwater.transfer.client import BlockClient, ClientCounters
from headwater.transfer.finder import Finder
from headwater.transfer.followers import Followers
from headwater.transfer.keeping import Keeping
from headwater.transfer.port import Blocks, Neighbour, Neighbours
from headwater.transfer.reader import Reader
from headwater.transfer.swarm import Origin, Swarm
from headwater.transfer.swarms import Swarms
from headwater.transfer.views import SourcesView, view_of
from headwater.transfer.watching import Watching
from headwater.wire.ids import BLOCK_BYTES, NodeId, VideoId
from headwater.wire.items import HoldingState, Item, Retraction
from headwater.wire.messages import Follow, Have, Unfollow

__all__ = ["Transfers"]

ANNOUNCE_LATER_S = 0.2


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
        self._me, self._store, self._neighbours = me, store, neighbours
        self._client, self._clock, self._announce = client, clock, announce
        self._seeds = itertools.count(int.from_bytes(me[:4], "big"))
        self._finder = Finder(me, catalogue, neighbours)
        self._followers = Followers(store, neighbours)
        self._swarms = Swarms(self._new_swarm, self._beside, self._swarm_ended, clock)
        self._watching = Watching(store, catalogue, self._finder, config, self._swarms.enter, clock)
        self._keeping = Keeping(
            store, catalogue, self._is_in_use, self._watching.was_watched, self.gone
        )

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_what_is_whole(), name="transfers.whole")
            group.create_task(self._followers.run(), name="transfers.followers")
            group.create_task(self._swarms.run(), name="transfers.swarms")
            group.create_task(self._keeping.run(), name="transfers.keeping")

    @property
    def counters(self) -> ClientCounters:
        return self._client.counters

    @property
    def kept(self) -> set[VideoId]:
        """What the owner asked for, here or on its way: never dropped to make room."""
        return self._keeping.asked_for

    # Reading and copying.

    def reader(self, video: VideoId) -> Reader:
        """A reader of this video. Raises: NotFound when no node ever told us of it."""
        return self._watching.reader(video)

    def open(self, video: VideoId) -> StoredVideo:
        """What is stored of it, begun now if nothing was. Raises: NotFound."""
        return self._watching.open(video)

    async def copy(self, video: VideoId, progress: Callable[[int, int], None]) -> StoredVideo:
        """Fetch all of it. Waits while nobody has the rest. Raises: NotFound once it was taken back
        and nobody who is there has the rest; ContentChanged, StorageFull."""
        while not _is_complete(stored := self.open(video)):
            if stored.problem:
                raise ContentChanged(stored.problem)
            with self._swarms.for_copy(stored) as swarm:
                while self._store.get(video) is stored and not _is_complete(stored):
                    await self._copy_on(stored, swarm)
                    progress(stored.have_blocks * BLOCK_BYTES, stored.shape.size_bytes)
            if self._is_untold(stored):  # who wrote the last of it was withdrawn before it could
                self._pieces_arrived(stored, range(stored.shape.pieces))
        return stored

    async def _copy_on(self, stored: StoredVideo, swarm: Swarm) -> None:
        """Until there is more of it."""
        if stored.torrent is not None:
            swarm.schedule.want_all(True)
            swarm.wake()
        if self._watching.is_taken_back(stored.video) and not _can_go_on(stored, swarm):
            raise NotFound("it is no longer shared, and nobody who is here has the rest of it")
        await swarm.arrival()
        if swarm.trouble is not None:
            raise swarm.trouble

    async def blob(self, sha256: bytes, hint: VideoId | None = None) -> bytes:
        """A poster, storyboard or subtitle. Raises: NotFound when nobody near has it."""
        here = await asyncio.to_thread(self._store.get_blob, sha256)
        if here is not None:
            return here
        for node in await self._finder.near(hint):
            try:
                blob = await self._client.blob(node, sha256)
            except NodeError:
                continue
            await asyncio.to_thread(self._store.put_blob, blob)
            return blob
        raise NotFound("no machine that can be reached now has this picture")

    async def info(self, video: VideoId) -> Torrent:
        """Its info-dict and piece layer, proven. Raises: NotFound when nobody near has them."""
        for node in await self._finder.near(video):
            with suppress(NodeError):
                return await self._client.info(node, video)
        raise NotFound("no machine that can be reached now has its info-dict")

    def stop(self, video: VideoId) -> None:
        """End the fetching of this video at once."""
        self._watching.stop(video)
        self._swarms.stop(video)

    def _is_in_use(self, video: VideoId) -> bool:
        return bool(self._swarms.of(video)) or self._watching.is_read(video)

    def gone(self, video: VideoId) -> None:
        """Nothing of it is served from here any more."""
        self.stop(video)
        self._announce(video, "gone")
        self._followers.gone(video)

    def moved(self, video: VideoId) -> None:
        """What is here of it lies elsewhere now: whoever was refused meanwhile may ask again."""
        stored = self._store.get(video)
        if stored is not None and stored.is_whole:
            self._followers.note(video, range(stored.shape.pieces))

    # Swarms.

    def _new_swarm(self, blocks: Blocks) -> Swarm:
        swarm = Swarm(
            blocks,
            self._client,
            self._clock,
            Random(next(self._seeds)),
            self._pieces_arrived,
            blocks.attach if isinstance(blocks, StoredVideo) else None,
            self._keeping.make_room,
        )
        self._finder.introduce(swarm)
        return swarm

    async def _beside(self, swarm: Swarm) -> None:
        if swarm.schedule.sources():
            await asyncio.sleep(ANNOUNCE_LATER_S)  # somebody waits for the first blocks now
        if isinstance(swarm.stored, StoredVideo) and not swarm.stored.is_whole:
            self._announce(swarm.stored.video, "partial")
        await self._finder.seek(swarm.stored.video)

    def _swarm_ended(self, blocks: Blocks) -> None:
        self._watching.ended(blocks)
        if not self._swarms.of(blocks.video):
            for neighbour in self._neighbours.connected().values():
                neighbour.send(Unfollow(blocks.video))

    def _pieces_arrived(self, blocks: Blocks, pieces: Sequence[int]) -> None:
        if blocks.torrent is None:
            return  # cannot be proven to others yet; told of when it is
        self._followers.note(blocks.video, pieces)
        if blocks.is_whole:
            self._announce(blocks.video, "whole")

    async def _tell_what_is_whole(self) -> None:
        """The node may have been killed before it could."""
        for stored in await asyncio.to_thread(self._whole_untold):
            self._pieces_arrived(stored, range(stored.shape.pieces))

    def _whole_untold(self) -> list[StoredVideo]:
        here = map(self._store.get, self._store.videos())
        return [each for each in here if each and each.is_fetched and self._is_untold(each)]

    def _is_untold(self, stored: StoredVideo) -> bool:
        """Whether all of it is here and the mesh does not know."""
        return not self._finder.is_told_whole(stored.video) and _is_complete(stored)

    # What is heard.

    def heard(self, items: Sequence[Item]) -> None:
        """What is new in the catalogue: holders come and go, channels take back."""
        for item in items:
            if (video := item.video) is None:
                continue
            for swarm in self._swarms.of(video):
                self._finder.heard(swarm, item)
            if isinstance(item.body, Retraction):
                self._keeping.drop_taken_back(video)

    def neighbour_up(self, neighbour: Neighbour) -> None:
        for swarm in self._swarms:
            self._finder.neighbour_up(swarm, neighbour)

    def neighbour_down(self, node: NodeId) -> None:
        self._client.neighbour_down(node)
        for swarm in self._swarms:
            swarm.remove_source(node)
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
                for swarm in self._swarms.of(video):
                    _note_have(swarm, neighbour, message)

    # For people.

    def sources(self, video: VideoId) -> SourcesView:
        """Where the bytes come from, for the page. Raises: NotFound."""
        stored = self._store.get(video)
        swarm = next(iter(self._swarms.of(video)), None)
        if swarm is None:
            size = self._watching.size_bytes(video)
            is_here = stored is not None and stored.is_whole
            return SourcesView((), (Origin(0, size, None),) if is_here else (), size)
        away = self._finder.away(video)
        changed_here = [self._me] if stored is not None and stored.problem else []
        return view_of(swarm, self._rtt_ms, away, changed_here, self._clock())

    def _rtt_ms(self, node: NodeId) -> float | None:
        neighbour = self._neighbours.get(node)
        rtt_s = neighbour.rtt_s if neighbour else None
        return None if rtt_s is None else rtt_s * 1000


def _can_go_on(stored: StoredVideo, swarm: Swarm) -> bool:
    """Whether somebody who is here has some of what is missing."""
    missing = stored.missing(0, stored.shape.blocks) or [range(stored.shape.blocks)]
    return any(swarm.schedule.can_come(part.start, len(part)) for part in missing)


def _is_complete(stored: StoredVideo) -> bool:
    return stored.is_whole and stored.torrent is not None


def _note_have(swarm: Swarm, neighbour: Neighbour, have: Have) -> None:
    node = neighbour.node
    if have.gone:
        swarm.remove_source(node)
    elif have.whole or have.bits:
        swarm.add_source(node, neighbour.rtt_s, whole=have.whole)
        swarm.source_has(node, have.first_piece, have.bits, whole=have.whole)
