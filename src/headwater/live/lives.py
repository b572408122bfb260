"""The lives of a node: those it makes, watches, carries or keeps."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from headwater.catalog.airing import CataloguedLive
from headwater.catalog.catalogue import Catalogue
from headwater.errors import LocalUsageError, NotFound, Unavailable
from headwater.link.port import Stream
from headwater.live.broadcast import Broadcast, Ingest
from headwater.live.counters import LiveCounters
from headwater.live.limits import LiveLimits
from headwater.live.port import Neighbour, Neighbours
from headwater.live.session import Session, Surroundings
from headwater.live.signing import Signer
from headwater.live.spool import Spool
from headwater.live.uplink import Uplink
from headwater.live.view import LiveView, Start
from headwater.media.live_ingest import ingest as ingest_source
from headwater.media.live_options import LiveOptions
from headwater.node.events import Event, Events
from headwater.overlay.report import Report
from headwater.wire.ids import LiveId, NodeId, short_id
from headwater.wire.items import Item, LiveEntry, sign_item
from headwater.wire.live import GetParts, LiveMessage, Push, live_id

__all__ = ["LiveStatus", "Lives"]

log = logging.getLogger(__name__)

TICK_S = 0.5
RENEW_S = 10.0
"""Of our own entries; others forget them after 45 s."""
CANDIDATES_S = 5.0
ASSUMED_BPS = 4_000_000
"""Of a live whose rate is not known yet."""
SHARE = 0.8
"""Of the uplink that is given to children; the rest is for repair and everything else."""


@dataclass(eq=False)
class _Running:
    """A live that this node takes part in."""

    session: Session
    task: asyncio.Task[None]
    channel: NodeId
    broadcast: Broadcast | None = None
    making: asyncio.Task[None] | None = None
    views: set[LiveView] = field(default_factory=set)
    is_kept: bool = False
    is_relayed: bool = False
    idle_since_s: float | None = None
    """Since when nobody here wants it."""
    renewed_s: float = float("-inf")
    introduced_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """A live as this node knows it."""

    entry: LiveEntry
    channel: NodeId
    state: Literal["on", "waiting", "ended"]
    uptime_s: float
    viewers: int
    delay_s: float | None
    """From being taken to being here; None where the two clocks cannot be compared."""
    is_mine: bool
    is_kept: bool
    message: str
    """Of this node's own live: what its ingest says; of a kept one: why it is not recorded."""
    report: Report | None
    """None while this node takes no part."""


class Lives:
    """Belongs to the loop's thread; `run` must be running for anything to start."""

    def __init__(
        self,
        *,
        key: Ed25519PrivateKey,
        me: NodeId,
        folder: Path,
        catalogue: Catalogue,
        neighbours: Neighbours,
        publish: Callable[[Sequence[Item]], None],
        events: Events,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        uplink_bps: int,
        reserve_bytes: int,
        limits: LiveLimits | None = None,
        ingest: Ingest = ingest_source,
    ) -> None:
        self.counters = LiveCounters()
        self._key, self._channel = key, NodeId(key.public_key().public_bytes_raw())
        self._folder, self._catalogue, self._publish = folder, catalogue, publish
        self._events, self._clock, self._now_ms = events, clock, now_ms
        self._reserve_bytes, self._limits = reserve_bytes, limits or LiveLimits()
        self._ingest = ingest
        self._uplink = Uplink(uplink_bps)
        self._around = Surroundings(
            *(me, neighbours, self._addresses_of, clock, self.counters, self._limits),
            Random(secrets.randbits(64)),
        )
        self._running: dict[LiveId, _Running] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Until cancelled; then every live is left."""
        try:
            async with asyncio.TaskGroup() as self._group:
                while True:
                    self._tick(self._clock())
                    await asyncio.sleep(TICK_S)
        finally:
            self._group = None

    # Asked for.

    async def start(
        self,
        options: LiveOptions,
        title: str,
        *,
        dvr_s: float = 600.0,
        stripes: int = 4,
        keep_recording: bool = True,
    ) -> LiveId:
        """Go on air. Raises: LocalUsageError; Unavailable when as many lives are on as may be."""
        made = [running for running in self._running.values() if running.broadcast]
        if len(made) >= self._limits.made:
            raise Unavailable(f"this node makes {len(made)} lives already: stop one of them")
        stream_key = Ed25519PrivateKey.generate()
        public = stream_key.public_key().public_bytes_raw()
        live = live_id(self._channel, public)
        entry = LiveEntry(
            version=1,
            live=live,
            stream_key=public,
            title=title,
            node=self._around.me,
            state="waiting",
            stripes=stripes,
            part_ms=options.part_ms,
            created_ms=self._now_ms(),
        )
        try:
            sign_item(self._key, entry)
        except ValueError as error:
            raise LocalUsageError(str(error)) from error
        keep_us = None if keep_recording else round(dvr_s * 1e6)
        spool = await asyncio.to_thread(
            Spool, self._folder / live.hex(), keep_us, self._reserve_bytes
        )
        running = self._begin(entry, self._channel, spool, is_source=True)
        signer = Signer(stream_key, live)
        running.broadcast = Broadcast(
            running.session, signer, options, lambda: self._announce(running)
        )
        running.making = self._task(self._make(running), f"live.make.{short_id(live)}")
        self._announce(running)
        return live

    async def stop(self, live: LiveId) -> None:
        """End a live of this node. Raises: NotFound."""
        running = self._running.get(live)
        if running is None or running.making is None:
            raise NotFound("this node does not make such a live")
        running.making.cancel()
        await asyncio.wait([running.making])

    async def watch(self, live: LiveId, start: Start = "edge") -> LiveView:
        """Raises: NotFound; Unavailable when too much is watched already."""
        running = self._joined(live)
        if len(running.views) >= self._limits.views:
            raise Unavailable(f"{len(running.views)} players watch it here already")
        view = LiveView(running.session, start, self._limits.lag_s, running.views.discard)
        running.views.add(view)
        return view

    def keep(self, live: LiveId, is_kept: bool) -> None:
        """Keep what comes of it, for the recording. Raises: as watch."""
        running = self._joined(live) if is_kept else self._running.get(live)
        if running is not None:
            running.is_kept = is_kept

    def relay(self, live: LiveId, is_relayed: bool) -> None:
        """Carry it for others, watched here or not. Raises: as watch."""
        running = self._joined(live) if is_relayed else self._running.get(live)
        if running is not None:
            running.is_relayed = is_relayed

    def list(self) -> list[LiveStatus]:
        """Those on air or just ended, the newest first."""
        return [self._status(known) for known in self._catalogue.lives()]

    def get(self, live: LiveId) -> LiveStatus:
        """Raises: NotFound."""
        known = self._catalogue.live(live)
        running = self._running.get(live)
        if known is None and running is not None:
            known = CataloguedLive(running.session.entry, running.channel, live)
        if known is None:
            raise NotFound("no such live is on air")
        return self._status(known)

    # What neighbours do.

    def neighbour_up(self, neighbour: Neighbour) -> None:
        for running in list(self._running.values()):
            running.session.neighbour_up(neighbour)

    def neighbour_down(self, node: NodeId) -> None:
        for running in list(self._running.values()):
            running.session.neighbour_down(node)

    def control(self, neighbour: Neighbour, message: LiveMessage) -> None:
        """Raises: RemoteProtocolError."""
        running = self._running.get(LiveId(message.live))
        if running is not None:
            running.session.receive(neighbour.node, message)

    async def request(self, neighbour: Neighbour, request: Push | GetParts, stream: Stream) -> None:
        """Raises: LinkClosed, RemoteProtocolError."""
        running = self._running.get(LiveId(request.live))
        if running is None:
            stream.reset()
        elif isinstance(request, Push):
            await running.session.pushed(neighbour.node, request, stream)
        else:
            await running.session.answer(neighbour.node, request, stream)

    def heard(self, items: Sequence[Item]) -> None:
        """News of the catalogue."""
        for item in items:
            if isinstance(item.body, LiveEntry):
                running = self._running.get(LiveId(item.body.live))
                if running is not None and running.broadcast is None:
                    self._entry_changed(running, item.body)

    # Inside.

    def _task(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        if self._group is None:
            raise Unavailable("this node is not running")
        return self._group.create_task(work, name=name)

    def _joined(self, live: LiveId) -> _Running:
        running = self._running.get(live)
        if running is not None:
            return running
        known = self._catalogue.live(live)
        if known is None or known.entry.state == "ended":
            raise NotFound("this live is not on air")
        watched = sum(1 for other in self._running.values() if other.broadcast is None)
        if watched >= self._limits.watched:
            raise Unavailable(f"this node takes part in {watched} lives already: leave one of them")
        spool = Spool(self._folder / live.hex(), 600_000_000, self._reserve_bytes)
        return self._begin(known.entry, known.channel, spool, is_source=False)

    def _begin(
        self, entry: LiveEntry, channel: NodeId, spool: Spool, *, is_source: bool
    ) -> _Running:
        session = Session(
            self._around,
            entry,
            is_source=is_source,
            slots=self._slots(ASSUMED_BPS, entry.stripes),
            spool=spool,
        )
        live = LiveId(entry.live)
        task = self._task(self._run(live, session), f"live.session.{short_id(live)}")
        running = self._running[live] = _Running(session, task, channel)
        self._events.publish(Event("lives", live.hex()))
        return running

    async def _run(self, live: LiveId, session: Session) -> None:
        try:
            await session.run()
        except Exception:  # a fault of ours costs that live, not the node
            log.exception("live.failed", extra={"live": short_id(live)})
        finally:
            self._running.pop(live, None)

    async def _make(self, running: _Running) -> None:
        broadcast = running.broadcast
        assert broadcast is not None
        try:
            await broadcast.run(self._ingest)
        except Exception:
            log.exception("live.ingest_failed")
        finally:
            broadcast.state = "ended"
            running.making = None
            running.session.finish()
            with suppress(Unavailable):
                self._announce(running)

    def _entry_changed(self, running: _Running, entry: LiveEntry) -> None:
        running.session.entry = entry
        if entry.state == "ended":
            running.session.finish()

    def _announce(self, running: _Running) -> None:
        """Tell the mesh how our own live stands."""
        broadcast, session = running.broadcast, running.session
        assert broadcast is not None
        state: Literal["on", "waiting", "ended"] = "waiting"
        if broadcast.state == "on":
            state = "on"
        elif broadcast.state in ("ended", "failed"):
            state = "ended"
        before = session.entry
        entry = replace(
            before,
            version=max(self._now_ms(), before.version + 1),
            state=state,
            media_type=broadcast.media_type,
            width=broadcast.width,
            height=broadcast.height,
            viewers=max(0, session.report().viewers - 1 + len(running.views)),
        )
        session.entry = entry
        running.renewed_s = self._clock()
        self._publish([sign_item(self._key, entry)])

    def _tick(self, now: float) -> None:
        for live, running in list(self._running.items()):
            if running.broadcast is not None and now - running.renewed_s >= RENEW_S:
                self._announce(running)
            if now - running.introduced_s >= CANDIDATES_S:
                running.introduced_s = now
                running.session.candidates(self._candidates(running))
            self._leave_if_idle(live, running, now)
        self._share_uplink(now)

    def _candidates(self, running: _Running) -> Sequence[NodeId]:
        source = NodeId(running.session.entry.node)
        return [source, *(n for n in self._around.neighbours.connected() if n != source)]

    def _leave_if_idle(self, live: LiveId, running: _Running, now: float) -> None:
        is_mine = running.broadcast is not None and not running.session.is_over
        if running.views or running.is_kept or running.is_relayed or is_mine:
            running.idle_since_s = None
        elif running.idle_since_s is None:
            running.idle_since_s = now
        elif now - running.idle_since_s >= self._limits.grace_s:
            running.task.cancel()

    def _share_uplink(self, now: float) -> None:
        if not self._running:
            return
        reports = [(running, running.session.report()) for running in self._running.values()]
        backlog_s = max(running.session.backlog_s() for running, _ in reports)
        is_full = any(report.free == 0 for _, report in reports)
        self._uplink.check(now, is_full=is_full, backlog_s=backlog_s)
        for running, _ in reports:
            stripes = running.session.entry.stripes
            running.session.uplink(self._slots(self._rate_bps(running), stripes))

    def _rate_bps(self, running: _Running) -> float:
        return 8 * running.session.rate_bytes_s() or ASSUMED_BPS

    def _slots(self, rate_bps: float, stripes: int) -> int:
        """How many stripes of such a live this node can push, when its lives share alike."""
        share = SHARE * self._uplink.bps / max(1, len(self._running))
        return min(2**16, int(share / (rate_bps / stripes)))

    def _status(self, known: CataloguedLive) -> LiveStatus:
        running = self._running.get(known.live)
        entry = known.entry
        report = running.session.report() if running else None
        viewers, message = entry.viewers, ""
        if running is not None:
            message = running.session.shelf.problem
            if running.broadcast is not None:
                message = running.broadcast.message or message
        return LiveStatus(
            entry=entry,
            channel=known.channel,
            state=entry.state,
            uptime_s=max(0, self._now_ms() - entry.created_ms) / 1000,
            viewers=viewers,
            delay_s=running.session.delay_s if running else None,
            is_mine=known.channel == self._channel,
            is_kept=bool(running and running.is_kept),
            message=message,
            report=report,
        )

    def _addresses_of(self, node: NodeId) -> Sequence[str]:
        record = self._catalogue.record(node)
        return record.addresses if record else ()
