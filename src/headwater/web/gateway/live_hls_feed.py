"""One live as HLS players read it: the newest minute of its parts, and who waits for the next."""

import asyncio
import logging
from collections.abc import Callable

from headwater.errors import LocalUsageError, NodeError, NotFound, Unavailable
from headwater.live.view import Ended, Gap
from headwater.web.gateway.live_playlist import media_playlist
from headwater.web.gateway.live_timeline import Segment, Targets, Timeline
from headwater.web.live_port import LivePart, Lives, LiveView
from headwater.wire.ids import LiveId, short_id

__all__ = ["HlsFeed", "HlsFeeds"]

log = logging.getLogger(__name__)

BACK_S = -10.0
PARTS_TO_JUDGE = 8
"""Their lengths tell the part target, which then stays."""
IDLE_S = 30.0
SWEEP_S = 5.0
MAX_FEEDS = 16
READY_S = 15.0


class HlsFeed:
    """Shape: parts of the timeline's segments in memory (the node's own copies)."""

    def __init__(self, view: LiveView, number: int) -> None:
        self.view = view
        self.timeline: Timeline | None = None
        self.used_s = 0.0
        self._number = number
        self._parts: dict[int, LivePart] = {}
        self._inits: dict[int, LivePart] = {}
        self._waiting: list[LivePart] = []
        self._news = asyncio.Event()
        self._is_over = False

    async def run(self) -> None:
        """Until the live ends or it is cancelled."""
        try:
            while not isinstance(found := await self.view.next(), Ended):
                if isinstance(found, Gap):
                    self._begin()
                    if self.timeline is not None:
                        self.timeline.gap()
                else:
                    self._take(found)
                self._tell()
            self._begin()
            if self.timeline is not None:
                self.timeline.end()
        except NodeError as error:
            log.info("hls.feed_ended", extra={"reason": str(error)})
        finally:
            self._is_over = True
            self._tell()
            await self.view.close()

    @property
    def is_over(self) -> bool:
        return self._is_over

    @property
    def next_number(self) -> int:
        """Of the media sequence, for a feed that takes over."""
        return self.timeline.next_number if self.timeline is not None else self._number

    async def playlist(self, number: int | None, part: int | None) -> str:
        """Once it has that segment, or that partial segment of it. Raises: LocalUsageError for
        what is far ahead, Unavailable when it does not come."""
        timeline = await self.ready()
        if number is not None:
            if number > timeline.next_number + 1:
                raise LocalUsageError(f"segment {number} is too far ahead to wait for")
            await self._until(lambda: timeline.has(number, part), 3.0 * timeline.targets.segment_s)
        return media_playlist(timeline)

    async def ready(self) -> Timeline:
        """Raises: Unavailable."""
        await self._until(lambda: self.timeline is not None and bool(self.timeline.kept), READY_S)
        assert self.timeline is not None
        return self.timeline

    async def part(self, first: int) -> bytes:
        """The partial segment of that name, as soon as it is whole. Raises: NotFound."""
        timeline = await self.ready()
        if first >= timeline.next_part:
            if first > timeline.next_part + 64:
                raise NotFound(f"there is no part {first}")
            with_patience_s = 3.0 * timeline.targets.segment_s
            await self._until(lambda: timeline.next_part > first, with_patience_s)
        chunks = (c for s in reversed(timeline.kept) for c in s.chunks if c.first == first)
        if (chunk := next(chunks, None)) is None:
            raise NotFound(f"there is no part {first}, or no more")
        return self._bytes(chunk.first, chunk.last)

    async def segment(self, first: int) -> bytes:
        """Raises: NotFound."""
        found = self._segment(await self.ready(), first)
        return self._bytes(found.first, found.chunks[-1].last)

    async def init(self, seq: int) -> bytes:
        """Raises: NotFound."""
        await self.ready()
        if seq not in self._inits:
            raise NotFound(f"there is no init {seq}, or no more")
        return self._inits[seq].payload

    async def newest_init(self) -> bytes:
        timeline = await self.ready()
        return await self.init(timeline.kept[-1].init)

    async def bandwidth_bps(self) -> int:
        """The most of any segment that is here."""
        timeline = await self.ready()
        rates = [
            8
            * sum(len(p.payload) for n, p in self._parts.items() if s.first <= n <= last)
            / s.duration_s
            for s in timeline.kept
            if s.duration_s and (last := s.chunks[-1].last) >= 0
        ]
        return round(max(rates, default=0))

    def _take(self, part: LivePart) -> None:
        self._parts[part.info.seq] = part
        if part.info.is_init:
            self._inits[part.info.seq] = part
        if self.timeline is not None:
            self.timeline.add(part.info)
            self._forget(self.timeline)
            return
        self._waiting.append(part)
        if sum(not one.info.is_init for one in self._waiting) > PARTS_TO_JUDGE:
            self._begin()

    def _begin(self) -> None:
        """Enough is known of its parts."""
        parts, self._waiting = self._waiting, []
        if self.timeline is None and parts:
            targets = Targets.of([part.info for part in parts if not part.info.is_init])
            self.timeline = Timeline(targets, number=self._number)
            for part in parts:
                self.timeline.add(part.info)

    def _forget(self, timeline: Timeline) -> None:
        if not timeline.kept or not timeline.kept[0].chunks:
            return
        oldest = timeline.kept[0].first
        for seq in [seq for seq in self._parts if seq < oldest]:
            del self._parts[seq]
        used = {segment.init for segment in timeline.kept} | {max(self._inits, default=0)}
        for seq in [seq for seq in self._inits if seq not in used]:
            del self._inits[seq]

    def _segment(self, timeline: Timeline, first: int) -> Segment:
        found = (s for s in timeline.kept if s.is_complete and s.chunks and s.first == first)
        if (segment := next(found, None)) is None:
            raise NotFound(f"there is no segment {first}, or no more")
        return segment

    def _bytes(self, first: int, last: int) -> bytes:
        return b"".join(
            self._parts[seq].payload for seq in range(first, last + 1) if seq in self._parts
        )

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _until(self, is_there: Callable[[], bool], within_s: float) -> None:
        """Raises: Unavailable."""
        try:
            async with asyncio.timeout(within_s):
                while not is_there():
                    if self._is_over:
                        raise NotFound("this live has ended")
                    await self._news.wait()
        except TimeoutError as error:
            raise Unavailable("nothing comes of this live at the moment") from error


class HlsFeeds:
    """Shape: at most MAX_FEEDS, each left IDLE_S after its last use or with run()."""

    def __init__(self) -> None:
        self._feeds: dict[LiveId, HlsFeed] = {}
        self._numbers: dict[LiveId, int] = {}
        self._tasks: dict[LiveId, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Until cancelled; then no view is open."""
        async with asyncio.TaskGroup() as self._group:
            while True:
                await asyncio.sleep(SWEEP_S)
                now = asyncio.get_running_loop().time()
                for live, feed in list(self._feeds.items()):
                    if now - feed.used_s > IDLE_S:
                        self._drop(live)

    async def feed(self, lives: Lives, live: LiveId) -> HlsFeed:
        """Raises: NotFound, Unavailable."""
        feed = self._feeds.get(live)
        if feed is None:
            feed = await self._open(lives, live)
        feed.used_s = asyncio.get_running_loop().time()
        return feed

    async def _open(self, lives: Lives, live: LiveId) -> HlsFeed:
        if self._group is None:
            raise Unavailable("this node is not running")
        while len(self._feeds) >= MAX_FEEDS:
            self._drop(min(self._feeds, key=lambda one: self._feeds[one].used_s))
        view = await lives.watch(live, BACK_S)
        if live in self._feeds:  # somebody else was quicker
            await view.close()
            return self._feeds[live]
        feed = self._feeds[live] = HlsFeed(view, self._numbers.get(live, 0))
        self._tasks[live] = self._group.create_task(feed.run(), name=f"hls.{short_id(live)}")
        return feed

    def _drop(self, live: LiveId) -> None:
        feed = self._feeds.pop(live)
        self._numbers[live] = feed.next_number + 1
        while len(self._numbers) > 4 * MAX_FEEDS:
            del self._numbers[next(iter(self._numbers))]
        self._tasks.pop(live).cancel()
