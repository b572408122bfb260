"""One live on this node: runs its overlay over real links, keeps the parts, serves them.

Theory of operation. Everything that happens (a neighbour comes, says something, a part arrives,
time passes) is told to the overlay, which is pure; what it wants done it leaves as commands,
carried out right after. A part is checked and kept, then passed on, and only then is the overlay
told of it, which may have it delivered: in a chain that order is a tenth of the delay."""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from headwater.link.port import LaneLost, Stream
from headwater.live.arrivals import Arrivals
from headwater.live.asking import Asking
from headwater.live.children import Children
from headwater.live.clock import SourceClock
from headwater.live.counters import LiveCounters
from headwater.live.limits import LiveLimits
from headwater.live.part import LivePart
from headwater.live.past import Past
from headwater.live.port import Neighbour, Neighbours
from headwater.live.pull import PartServer
from headwater.live.runs import Runs
from headwater.live.shelf import Shelf
from headwater.live.spool import Spool
from headwater.live.uplink import is_overloaded
from headwater.overlay.commands import (
    Command,
    Deliver,
    Dial,
    Drop,
    Forget,
    LeaveOut,
    Pull,
    Send,
    Skip,
    StartPush,
    StopPush,
)
from headwater.overlay.overlay import DEFAULT, Overlay
from headwater.overlay.report import Report
from headwater.wire.frames import encode
from headwater.wire.ids import LiveId, NodeId, short_id
from headwater.wire.items import LiveEntry
from headwater.wire.live import GetClock, GetParts, LiveMessage, PartInfo, Push
from headwater.wire.messages import Refused

__all__ = ["Session", "Surroundings"]

log = logging.getLogger(__name__)

CHECK_S = 0.1
"""How often children are looked at: a backlog matters from 150 ms on."""
MEASURE_CHECKS = 5
"""Between two looks at how far away neighbours are."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sessions of a node share."""

    me: NodeId
    neighbours: Neighbours
    addresses_of: Callable[[NodeId], Sequence[str]]
    clock: Callable[[], float]
    wall_us: Callable[[], int]
    """What this machine's clock shows, microseconds since 1970."""
    counters: LiveCounters
    limits: LiveLimits
    random: Random


class Session:
    """Belongs to the loop's thread. `run` must be running for anything to happen."""

    def __init__(
        self,
        around: Surroundings,
        entry: LiveEntry,
        *,
        is_source: bool,
        slots: int,
        spool: Spool | None,
        wants_delivery: bool = True,
    ) -> None:
        self.entry = entry
        """As it was heard last."""
        self.live = LiveId(entry.live)
        self.is_source = is_source
        self.counters, self._limits = around.counters, around.limits
        self.shelf = Shelf(spool, around.limits)
        self.delivered = Runs()
        self.edge_us = 0
        """When the newest part delivered is shown."""
        self.newest: PartInfo | None = None
        """The newest part that came, and..."""
        self.newest_at_s = 0.0
        """...when, by the clock."""
        self.delay_s: float | None = None
        """From being taken to being here; None where the clocks cannot be compared."""
        self.is_over = False
        """Nothing more will be delivered."""
        self.news = asyncio.Event()
        """Set, and replaced by another one, when something was delivered."""
        self._around, self._clock, self._slots = around, around.clock, slots
        self._spare_bps = math.inf
        self._source_clock = SourceClock(is_source=is_source)
        self._overlay = Overlay(
            self.live,
            around.me,
            is_source=is_source,
            stripes=entry.stripes,
            part_s=entry.part_ms / 1000,
            slots=slots,
            rng=around.random,
            now=self._clock(),
            wants_delivery=wants_delivery,
        )
        self._arrivals = Arrivals(
            *(self.live, entry.stream_key, self._is_wanted, self._take, self._repeated),
            *(self._left_out, around.counters, around.limits, around.clock),
        )
        self._asking = Asking(
            *(self.live, around.neighbours, self._arrivals, self._source_clock),
            *(around.clock, around.wall_us, self._ban),
        )
        self._server = PartServer(
            *(self.shelf.find, self.rate_bytes_s, around.counters, around.limits, around.clock),
            self._spare_bytes_s,
        )
        self.past = None if is_source else Past(self._fetch)
        """What others have of before; None: nobody has more than this node."""
        self._incoming: dict[tuple[NodeId, int], tuple[int, Stream]] = {}
        """With the push's number."""
        self._group: asyncio.TaskGroup | None = None
        self._children: Children | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0

    # Life.

    async def run(self) -> None:
        """Take part until cancelled; then say goodbye."""
        around = self._around
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._children = Children(
                *(self.live, self.entry.stripes, self.shelf.ring, group),
                *(around.counters, around.limits),
                DEFAULT.patience_s(self.entry.stripes, self.entry.part_ms / 1000),
                around.clock,
                self._suspect,
            )
            group.create_task(self.shelf.run(), name="live.shelf")
            if not self.is_source:
                telling = self._asking.keep_time(self._first_parent)
                group.create_task(telling, name="live.clock")
            for neighbour in around.neighbours.connected().values():
                self._overlay.connected(neighbour.node, neighbour.rtt_s, self._clock())
            try:
                self._act()
                await self._check()
            finally:
                self._group = None  # while the others end, nothing new begins
                self._leave()

    def finish(self) -> None:
        """Nothing more will come: players are told when they have read it all."""
        self.is_over = True
        self._tell()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.finish()
        self._overlay.leave(self._clock())
        for command in self._overlay.commands():
            if isinstance(command, Send):
                self._send(command)
        for _, stream in self._incoming.values():
            stream.reset()
        self._incoming.clear()

    # What is asked of it.

    def report(self) -> Report:
        return self._overlay.report()

    def rate_bytes_s(self) -> float:
        """Of the stream, over what is in memory; 0 while there is little."""
        ring = self.shelf.ring
        first, last = ring.get(ring.next_key(0) or 0), ring.get(ring.edge)
        span_s = (last.info.pts_us - first.info.pts_us) / 1e6 if first and last else 0.0
        return ring.held_bytes / span_s if span_s >= 0.5 else 0.0

    def waits_s(self) -> Sequence[float]:
        """For each child and stripe that is there, how long its oldest part has been on its
        way."""
        return self._children.waits_s(self._clock()) if self._children else ()

    def _spare_bytes_s(self) -> float:
        return 0.0 if is_overloaded(self.waits_s()) else self._spare_bps / 8

    def window(self) -> tuple[int, int, int, int] | None:
        """Numbers of the oldest keyframe and the newest part, then when they are shown. What only
        others have is reckoned."""
        oldest, edge = self.shelf.oldest_key(), self.delivered.last
        if oldest is None or edge < 0:
            return None
        seq, at_us = oldest
        begin_us = max(0, self.edge_us - self.entry.dvr_s * 1_000_000)
        if self.past is not None and self.entry.dvr_s and begin_us < at_us:
            seq, at_us = round(seq * begin_us / at_us), begin_us
        return seq, edge, at_us, self.edge_us

    async def find(self, seq: int, until: int) -> LivePart | None:
        """A part, wherever it is; `until`: the next one that is here."""
        part = await self.shelf.find(seq)
        if part is None and self.past is not None:
            part = await self.past.find(seq, until)
        return part

    def candidates(self, nodes: Sequence[NodeId]) -> None:
        """Who may take part as well, the publisher's node first."""
        self._overlay.candidates(nodes, self._clock())
        self._act()

    def watched(self, is_watched: bool) -> None:
        self._overlay.watched(is_watched)

    def uplink(self, slots: int, spare_bps: float) -> None:
        """What this live may take: for its children, and what they leave for those who ask."""
        self._spare_bps = spare_bps
        if slots == self._slots:
            return
        self._slots = slots
        self._overlay.uplink(slots, self._clock())
        self._act()

    # What neighbours do.

    def neighbour_up(self, neighbour: Neighbour) -> None:
        self._overlay.connected(neighbour.node, neighbour.rtt_s, self._clock())
        self._act()

    def neighbour_down(self, node: NodeId) -> None:
        self._server.neighbour_down(node)
        if self._children is not None:
            self._children.stop_all(node)
        self._overlay.disconnected(node, self._clock())
        self._act()

    def receive(self, node: NodeId, message: LiveMessage) -> None:
        """Raises: RemoteProtocolError."""
        try:
            self._overlay.receive(node, message, self._clock())
        finally:
            self._act()

    async def pushed(self, neighbour: Neighbour, push: Push, stream: Stream) -> None:
        """Take what a parent pushes, until it ends. Raises: LinkClosed, RemoteProtocolError."""
        feed, incoming = (neighbour.node, push.stripe), (push.number, stream)
        before = self._incoming.get(feed)
        # streams may overtake each other: the one by the lane that by the link, which it replaces
        is_over = before is not None and push.number < before[0]
        if is_over or push.stripe >= self.entry.stripes or self.is_source:
            stream.reset()
            return
        if before is not None:
            before[1].reset()
        self._incoming[feed] = incoming
        try:
            await self._arrivals.pushed(neighbour, push.stripe, self.entry.stripes, stream)
        except LaneLost:
            self._suspect(neighbour.node, True)
            raise
        finally:
            if self._incoming.get(feed) is incoming:
                del self._incoming[feed]
            stream.reset()

    def _suspect(self, node: NodeId, is_suspected: bool) -> None:
        tell = self._overlay.suspected if is_suspected else self._overlay.cleared
        tell(node, self._clock())
        self._act()

    async def answer(self, node: NodeId, request: GetParts | GetClock, stream: Stream) -> None:
        """Give what is asked for. Raises: LinkClosed."""
        if isinstance(request, GetParts):
            await self._server.answer(node, request, stream)
            return
        told = self._source_clock.tell(self._around.wall_us(), self._clock())
        await stream.write(encode(told or Refused("missing")))
        await stream.finish()

    # Parts.

    def made(self, part: LivePart) -> None:
        """Made and signed here."""
        self.counters.parts_made += 1
        self._take(part, None, is_pushed=False)

    def _is_wanted(self, info: PartInfo) -> bool:
        return self._overlay.is_wanted(info, self._clock())

    def _take(self, part: LivePart, node: NodeId | None, is_pushed: bool) -> None:
        self.shelf.add(part)
        if self._children is not None:
            self._children.push(part, self._overlay.forward(part.info, node))
        self._overlay.part_arrived(part.info, node, self._clock(), is_pushed=is_pushed)
        self._act()
        self._note(part)

    def _repeated(self, seq: int, node: NodeId) -> None:
        self._overlay.part_repeated(seq, node, self._clock())
        self._act()

    def _left_out(self, seq: int, node: NodeId) -> None:
        try:
            self._overlay.left_out(seq, node, self._clock())
        finally:
            self._act()

    def _note(self, part: LivePart) -> None:
        if self.newest is None or part.seq > self.newest.seq:
            now = self._clock()
            self.newest, self.newest_at_s = part.info, now
            capture_us, wall_us = part.info.capture_us, self._around.wall_us()
            self.delay_s = self._source_clock.since_s(capture_us, wall_us, now)

    # Time.

    def _arm(self) -> None:
        """Have `_on_time` called when the overlay wants it."""
        if self._group is None or self._overlay.timer_s == self._timer_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_s = self._overlay.timer_s
        wait_s = max(0.0, self._timer_s - self._clock())
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_time)

    def _on_time(self) -> None:
        self._timer_s = -1.0
        self._overlay.handle_timer(self._clock())
        self._act()

    async def _check(self) -> None:
        checks = 0
        while True:
            await asyncio.sleep(CHECK_S)
            checks += 1
            if checks % MEASURE_CHECKS == 0:
                self._measure()
            if self._children:
                now = self._clock()
                for node, stripe, delay_s in self._children.check(now):
                    self._overlay.backlog(node, stripe, delay_s, now)
                self._act()

    def _measure(self) -> None:
        """Tell how far away the neighbours are: nobody knows when a link comes up."""
        for node, neighbour in self._around.neighbours.connected().items():
            if neighbour.rtt_s is not None:
                self._overlay.measured(node, neighbour.rtt_s)

    # What the overlay wants.

    def _act(self) -> None:
        if self._group is None:
            self._overlay.commands()  # not running yet, or no more: nobody is there to do it
            return
        while commands := self._overlay.commands():
            for command in commands:
                self._do(command, self._group)
        self._arm()

    def _do(self, command: Command, group: asyncio.TaskGroup) -> None:
        assert self._children is not None
        match command:
            case Send():
                self._send(command)
            case LeaveOut(node, seqs):
                self._children.leave_out(node, seqs)
            case StartPush(node, stripe, first):
                neighbour = self._around.neighbours.get(node)
                if neighbour is not None:
                    self._children.start(neighbour, stripe, first)
            case StopPush(node, stripe):
                self._children.stop(node, stripe)
            case Pull(node, seqs):
                name = f"live.pull.{short_id(node)}"
                group.create_task(self._pull(node, seqs), name=name)
            case Deliver(seq):
                self._deliver(seq)
            case Skip(first, after):
                self.counters.parts_skipped += after - first
            case Dial(node):
                dialling = self._asking.dial(node, self._around.addresses_of(node))
                group.create_task(dialling, name=f"live.dial.{short_id(node)}")
            case Drop(node, reason, hostile):
                log.info("live.left", extra={"node": short_id(node), "reason": reason})
                if hostile:
                    self._ban(node, reason)
            case Forget():
                pass  # the ring has bounds of its own: older parts serve those who come late

    def _send(self, command: Send) -> None:
        neighbour = self._around.neighbours.get(command.node)
        if neighbour is not None:
            neighbour.send(command.message)

    def _deliver(self, seq: int) -> None:
        part = self.shelf.at_hand(seq)
        if part is None:
            return
        self.counters.parts_delivered += 1
        self.shelf.record(part)
        self.delivered.add(seq)
        self.edge_us = max(self.edge_us, part.info.pts_us)
        self._tell()

    def _tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    def _ban(self, node: NodeId, reason: str) -> None:
        self.counters.nodes_dropped += 1
        self._around.neighbours.ban(node, reason)

    async def _pull(self, node: NodeId, seqs: tuple[int, ...]) -> None:
        is_busy = not await self._asking.pull(node, seqs)
        self._overlay.pulled(node, seqs, self._clock(), is_busy=is_busy)
        self._act()

    async def _fetch(self, seqs: Sequence[int]) -> Sequence[LivePart]:
        """From the source, or who feeds us."""
        stripes = self._overlay.report().stripes
        nodes = [NodeId(self.entry.node), *(stripe.parent for stripe in stripes)]
        return await self._asking.fetch(nodes, seqs)

    def _first_parent(self) -> NodeId | None:
        return self._overlay.report().stripes[0].parent
