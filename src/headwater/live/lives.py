"""The lives of a node: those it makes, watches, carries or keeps."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.catalog.airing import CataloguedLive
from headwater.catalog.catalogue import Catalogue
from headwater.errors import NodeError, NotFound, Unavailable
from headwater.link.port import Stream
from headwater.live.about import About
from headwater.live.announcing import Announcer, viewers_of
from headwater.live.archive import Archive
from headwater.live.broadcast import Ingest
from headwater.live.counters import LiveCounters
from headwater.live.limits import LiveLimits
from headwater.live.participation import Participation
from headwater.live.port import Neighbour, Neighbours
from headwater.live.session import Session, Surroundings
from headwater.live.sharing import Sharing
from headwater.live.spool import Spool
from headwater.live.status import LiveStatus
from headwater.live.studio import Studio
from headwater.live.view import LiveView, Start
from headwater.media.live_ingest import ingest as ingest_source
from headwater.media.live_options import LiveOptions
from headwater.node.events import Event, Events
from headwater.wire.ids import LiveId, NodeId, VideoId, short_id
from headwater.wire.items import Item, LiveEntry, VideoEntry
from headwater.wire.live import GetClock, GetParts, LiveMessage, Push

__all__ = ["Lives"]

log = logging.getLogger(__name__)

TICK_S = 0.5
CANDIDATES_S = 5.0
DVR_S = 600.0


class Lives:
    """Belongs to the loop's thread; `run` must be running for anything to start."""

    def __init__(
        self,
        *,
        key: Ed25519PrivateKey,
        me: NodeId,
        catalogue: Catalogue,
        neighbours: Neighbours,
        publish: Callable[[Sequence[Item]], None],
        archive: Archive,
        events: Events,
        clock: Callable[[], float],
        wall_us: Callable[[], int],
        uplink_bps: int,
        carries_all: bool = False,
        limits: LiveLimits | None = None,
        ingest: Ingest = ingest_source,
    ) -> None:
        self.counters = LiveCounters()
        self._channel = NodeId(key.public_key().public_bytes_raw())
        self._catalogue, self._archive, self._events = catalogue, archive, events
        self._clock, self._wall_us, self._ingest = clock, wall_us, ingest
        self._limits, self._carries_all = limits or LiveLimits(), carries_all
        self._announcer = Announcer(key, publish, self._now_ms)
        self._sharing = Sharing(uplink_bps, self.counters)
        self._around = Surroundings(
            *(me, neighbours, self._addresses_of, clock, wall_us, self.counters, self._limits),
            Random(secrets.randbits(64)),
        )
        self._studio = Studio(
            *(self._channel, me, self._announcer, archive, self._begin_own, self._run_if_running),
            *(clock, self._now_ms),
        )
        self._taken: dict[LiveId, Participation] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Until cancelled; then every live is left."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._recover(), name="live.recover")
            try:
                while True:
                    self._tick(self._clock())
                    await asyncio.sleep(TICK_S)
            finally:
                self._group = None  # while the others end, nothing new begins

    def uplink(self, bps: int) -> None:
        """What the owner allows; 0: whatever there is."""
        self._sharing.configure(bps)

    # Making.

    async def start(
        self,
        options: LiveOptions,
        title: str,
        *,
        dvr_s: float = DVR_S,
        stripes: int = 4,
        keep_recording: bool = True,
    ) -> LiveId:
        """Go on air. Raises: LocalUsageError, StorageFull; Unavailable when as many lives are on as
        may be."""
        made = sum(1 for other in self._taken.values() if other.making)
        if made >= self._limits.made:
            raise Unavailable(f"this node makes {made} lives already: stop one of them")
        own = self._studio.start(
            options,
            title,
            self._ingest,
            dvr_s=dvr_s,
            stripes=stripes,
            keep_recording=keep_recording,
        )
        return own.live

    async def stop(self, live: LiveId) -> None:
        """End a live of this node; its recording is made then. Raises: NotFound."""
        own = self._taken.get(live)
        if own is None or own.making is None:
            raise NotFound("this node does not make such a live")
        await self._studio.stop(own)

    def take_back(self, video: VideoId) -> None:
        """Retract the recording of a live made here; of any other video nothing happens."""
        self._archive.take_back(video)

    # Watching.

    async def watch(self, live: LiveId, start: Start = "edge") -> LiveView:
        """Raises: NotFound, StorageFull; Unavailable when too much is watched already."""
        taken = self._joined(live)
        if len(taken.views) >= self._limits.views:
            raise Unavailable(f"{len(taken.views)} players watch it here already")
        view = LiveView(taken.session, start, self._limits.lag_s, taken.views.discard)
        taken.views.add(view)
        return view

    def keep(self, live: LiveId, is_kept: bool) -> None:
        """Keep what comes of it from now on, for the recording. Raises: as watch."""
        taken = self._joined(live) if is_kept else self._taken.get(live)
        if taken is None or taken.broadcast is not None:
            return
        taken.is_kept = is_kept
        if is_kept:
            taken.spool.keep_all()
        self._archive.note(taken.spool, About(taken.entry, taken.channel, False, is_kept))

    def relay(self, live: LiveId, is_relayed: bool) -> None:
        """Carry it for others, watched here or not. Raises: as watch."""
        taken = self._joined(live) if is_relayed else self._taken.get(live)
        if taken is not None:
            taken.is_relayed = is_relayed

    def list(self) -> list[LiveStatus]:
        """Those on air or just ended, the newest first."""
        return [self._status(known) for known in self._catalogue.lives()]

    def get(self, live: LiveId) -> LiveStatus:
        """Raises: NotFound."""
        known, taken = self._catalogue.live(live), self._taken.get(live)
        if known is None and taken is not None:
            known = CataloguedLive(taken.entry, taken.channel, live)
        if known is None:
            raise NotFound("no such live is on air")
        return self._status(known)

    # What neighbours do.

    def neighbour_up(self, neighbour: Neighbour) -> None:
        for taken in list(self._taken.values()):
            taken.session.neighbour_up(neighbour)

    def neighbour_down(self, node: NodeId) -> None:
        for taken in list(self._taken.values()):
            taken.session.neighbour_down(node)

    def control(self, neighbour: Neighbour, message: LiveMessage) -> None:
        """Raises: RemoteProtocolError."""
        taken = self._taken.get(LiveId(message.live))
        if taken is not None:
            taken.session.receive(neighbour.node, message)

    async def request(
        self, neighbour: Neighbour, request: Push | GetParts | GetClock, stream: Stream
    ) -> None:
        """Raises: LinkClosed, RemoteProtocolError."""
        taken = self._taken.get(LiveId(request.live))
        if taken is None:
            stream.reset()
        elif isinstance(request, Push):
            await taken.session.pushed(neighbour, request, stream)
        else:
            await taken.session.answer(neighbour.node, request, stream)

    def heard(self, items: Sequence[Item]) -> None:
        """News of the catalogue."""
        for item in items:
            body = item.body
            if isinstance(body, LiveEntry):
                taken = self._taken.get(LiveId(body.live))
                if taken is not None:
                    self._hear(taken)
                elif self._carries_all and body.state != "ended":
                    self._carry(LiveId(body.live))
            elif isinstance(body, VideoEntry) and self._archive.is_waiting_for(body, item.author):
                self._run_if_running(self._archive.heard_of(body, item.author), "live.adopt")

    def _carry(self, live: LiveId) -> None:
        try:
            self.relay(live, True)
        except NodeError as error:
            log.warning("lives.not_carried", extra={"reason": str(error)})

    # Taking part.

    def _joined(self, live: LiveId) -> Participation:
        known = self._catalogue.live(live)
        if live not in self._taken:
            if known is None or known.entry.state == "ended" or self._is_cut_short(known):
                raise NotFound("this live is not on air")
            watched = sum(1 for other in self._taken.values() if other.broadcast is None)
            if watched >= self._limits.watched:
                raise Unavailable(f"this node takes part in {watched} lives already: leave one")
            is_kept = self._archive.is_kept(live)
            about = About(known.entry, known.channel, is_mine=False, is_kept=is_kept)
            keep_us = None if is_kept else round(1e6 * min(DVR_S, known.entry.dvr_s))
            taken = self._begin(about, self._spool(about, keep_us), is_source=False)
            taken.is_kept = is_kept
        return self._taken[live]

    def _is_cut_short(self, known: CataloguedLive) -> bool:
        """It was made here, before this node started."""
        is_here = known.entry.node == self._around.me and known.channel == self._channel
        return is_here and known.live not in self._taken

    def _begin_own(self, about: About, keep_us: int | None) -> Participation:
        return self._begin(about, self._spool(about, keep_us), is_source=True)

    def _spool(self, about: About, keep_us: int | None) -> Spool:
        if self._group is None:
            raise Unavailable("this node is not running")
        return self._archive.open(about, keep_us)

    def _begin(self, about: About, spool: Spool, *, is_source: bool) -> Participation:
        slots = self._sharing.first_slots(about.entry.stripes, len(self._taken) + 1)
        session = Session(self._around, about.entry, is_source=is_source, slots=slots, spool=spool)
        session.watched(False)
        taken = Participation(session, NodeId(about.channel), spool)
        self._taken[taken.live] = taken
        taken.task = self._task(self._run(taken), f"live.session.{short_id(taken.live)}")
        self._events.publish(Event("lives", taken.live.hex()))
        return taken

    async def _run(self, taken: Participation) -> None:
        try:
            await taken.session.run()
        except Exception:  # a fault of ours costs that live, not the node
            log.exception("live.failed", extra={"live": short_id(taken.live)})
        finally:
            del self._taken[taken.live]
            self._put_away(taken)
            self._events.publish(Event("lives", taken.live.hex()))

    def _put_away(self, taken: Participation) -> None:
        """What is left on disk: it goes, unless it is still to become a recording."""
        if taken.is_settled or not (taken.broadcast is not None or taken.is_kept):
            taken.spool.remove()
            return
        taken.spool.close()
        if taken.broadcast is None:
            self._archive.wait_for(About(taken.entry, taken.channel, False, True))

    def _task(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        if self._group is None:
            work.close()
            raise Unavailable("this node is not running")
        return self._group.create_task(work, name=name)

    def _run_if_running(
        self, work: Coroutine[Any, Any, None], name: str
    ) -> "asyncio.Task[None] | None":
        if self._group is not None:
            return self._task(work, name)
        work.close()
        return None

    async def _recover(self) -> None:
        await self._archive.recover(lambda entry: self._announcer.tell_ended(entry, self._clock()))

    # Time.

    def _tick(self, now: float) -> None:
        self._announcer.tick(now)
        for known in self._catalogue.lives():
            if self._is_cut_short(known) and known.entry.state != "ended":  # others still think so
                self._announcer.tell_ended(known.entry, now)
        for taken in list(self._taken.values()):
            self._studio.tick(taken, now)
            if now - taken.introduced_s >= CANDIDATES_S:
                taken.introduced_s = now
                taken.session.candidates(self._candidates(taken))
            self._hear(taken)
            taken.session.watched(taken.is_watched)
            if taken.is_to_be_left(now, self._limits.grace_s) and taken.task is not None:
                taken.task.cancel()
        self._sharing.share([taken.session for taken in self._taken.values()], now)

    def _hear(self, taken: Participation) -> None:
        """How the catalogue describes it now."""
        if taken.broadcast is not None:
            return
        known = self._catalogue.live(taken.live)
        taken.heard(known.entry if known else None, self._clock())
        if not taken.session.is_over or not taken.is_kept or taken.is_settled:
            return
        if known is None:
            taken.is_given_up = True  # its publisher is gone; what was kept stays for later
        elif known.entry.recording and not taken.is_settling and self._clock() >= taken.settle_at_s:
            video = VideoId(known.entry.recording)
            if self._catalogue.entry(video) is not None:
                taken.is_settling = True
                self._task(self._settle_kept(taken, video), f"live.adopt.{short_id(video)}")

    async def _settle_kept(self, taken: Participation, video: VideoId) -> None:
        try:
            await taken.session.shelf.flush()
            await self._archive.adopt(video, taken.spool)
            taken.is_settled = True
        except (NodeError, OSError) as error:
            log.warning("live.not_adopted", extra={"reason": str(error)})
            taken.settle_later(self._clock())
        finally:
            taken.is_settling = False

    def _candidates(self, taken: Participation) -> Sequence[NodeId]:
        source = NodeId(taken.entry.node)
        return [source, *(n for n in self._around.neighbours.connected() if n != source)]

    def _status(self, known: CataloguedLive) -> LiveStatus:
        taken, entry = self._taken.get(known.live), known.entry
        message = taken.session.shelf.problem if taken else ""
        if taken is not None and taken.broadcast is not None:
            message = taken.broadcast.message or message
        return LiveStatus(
            entry=entry,
            channel=known.channel,
            state=entry.state,
            uptime_s=max(0, self._now_ms() - entry.created_ms) / 1000,
            viewers=viewers_of(taken) if taken and taken.broadcast else entry.viewers,
            delay_s=taken.session.delay_s if taken else None,
            is_mine=known.channel == self._channel,
            is_kept=bool(taken and taken.is_kept),
            message=message,
            report=taken.session.report() if taken else None,
        )

    def _now_ms(self) -> int:
        return self._wall_us() // 1000

    def _addresses_of(self, node: NodeId) -> Sequence[str]:
        record = self._catalogue.record(node)
        return record.addresses if record else ()
