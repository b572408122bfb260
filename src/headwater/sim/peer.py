"""A simulated node: an overlay, and the simplest shell that does what it commands."""

from collections.abc import Callable, Sequence
from typing import Protocol

from headwater.errors import RemoteProtocolError
from headwater.live.spare import Spare, spare_bps
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
from headwater.overlay.overlay import DEFAULT
from headwater.sim.clock import Clock
from headwater.sim.link import BURST, PUSH, REPAIR, Flow, Link, Parcel
from headwater.sim.network import Network
from headwater.sim.player import Player
from headwater.sim.record import Record
from headwater.sim.stream import LIVE, PART_HEAD_BYTES, Stream
from headwater.sim.uplink import Uplink
from headwater.wire.ids import NodeId
from headwater.wire.live import GetParts, LiveMessage, PartInfo

__all__ = ["Core", "Peer", "World"]

RING_PARTS = 300
"""Kept by each node: 30 s at 100 ms a part, and the inits."""
PULL_TIMEOUT_S = 10.0
REPAIR_PARTS = 4
"""A question for no more than that is a repair, one for more a burst."""
END_BYTES = 12
"""PartsReply."""
SOONEST_S = 0.001
"""A timer that is due again at once is not called sooner."""
NEVER = float("inf")


class Core(Protocol):
    """What a node needs of headwater.overlay.Overlay."""

    @property
    def timer_s(self) -> float: ...
    def candidates(self, nodes: Sequence[NodeId], now: float) -> None: ...
    def connected(self, node: NodeId, rtt_s: float | None, now: float) -> None: ...
    def disconnected(self, node: NodeId, now: float) -> None: ...
    def suspected(self, node: NodeId, now: float) -> None: ...
    def receive(self, node: NodeId, message: LiveMessage, now: float) -> None: ...
    def is_wanted(self, info: PartInfo, now: float) -> bool: ...
    def part_repeated(self, seq: int, source: NodeId, now: float) -> None: ...
    def left_out(self, seq: int, source: NodeId, now: float) -> None: ...
    def forward(self, info: PartInfo, source: NodeId | None) -> tuple[NodeId, ...]: ...
    def part_arrived(
        self, info: PartInfo, source: NodeId | None, now: float, *, is_pushed: bool
    ) -> bool: ...
    def pulled(
        self, node: NodeId, seqs: tuple[int, ...], now: float, *, is_busy: bool = False
    ) -> None: ...
    def backlog(self, node: NodeId, stripe: int, delay_s: float, now: float) -> None: ...
    def uplink(self, slots: int, now: float) -> None: ...
    def handle_timer(self, now: float) -> None: ...
    def commands(self) -> list[Command]: ...
    def leave(self, now: float) -> None: ...


class World:
    """What the nodes of a simulation have in common."""

    __slots__ = ("clock", "network", "record", "stream", "stripes", "tally")

    def __init__(self, clock: Clock, network: Network, stream: Stream, record: Record) -> None:
        self.clock, self.network, self.stream, self.record = clock, network, stream, record
        self.tally = record.tally
        self.stripes = stream.form.stripes


class Peer:
    """`parents`: who opened a stream to it last, by stripe, as the simulation knows it. `lag_s`: it
    takes so long for a part. `slept_s`: in all. What hostile ones do: `mask` tells what
    it says instead (None for nothing), `withholds` a stripe, `forges` parts, `is_frozen` takes
    none any more, `replays` parts that are so many older, `excuses` itself from pushing."""

    __slots__ = (
        *("world", "id", "is_source", "place", "side", "is_nat", "uplink_bps", "slots"),
        *("core", "links", "banned", "uplink", "player", "parents", "held", "edge"),
        *("is_alive", "is_hostile", "is_viewer", "began_s", "fed_s", "excuses"),
        *(
            "_spare",
            "asleep",
            "mask",
            "forges",
            "withholds",
            "replays",
            "is_frozen",
            "lag_s",
            "died_s",
            "slept_s",
            "_armed_s",
            "_ticket",
            "_act",
        ),
    )

    def __init__(
        self,
        world: World,
        node: NodeId,
        *,
        uplink_bps: float,
        slots: int,
        place: tuple[float, float],
        is_nat: bool,
        is_source: bool = False,
    ) -> None:
        self.world, self.id, self.place, self.is_nat = world, node, place, is_nat
        self.is_source, self.uplink_bps, self.slots = is_source, uplink_bps, slots
        self.side = 0
        self.core: Core
        self.links: dict[NodeId, Link] = {}
        self.banned: set[NodeId] = set()
        self.uplink = Uplink(
            world.clock,
            max(uplink_bps, 1.0) / 8,
            DEFAULT.patience_s(world.stripes, world.stream.form.part_s),
            world.network.sent,
            self._backlog,
        )
        self.player = Player()
        self.parents: dict[int, Peer] = {}
        self.held = bytearray()
        self.edge = -1
        self.is_alive = self.is_hostile = False
        self.is_viewer = not is_source
        self.began_s = 0.0
        self.fed_s = NEVER
        self.asleep: list[tuple[Callable[..., None], tuple[object, ...]]] | None = None
        self.mask: Callable[[Link, LiveMessage], LiveMessage | None] | None = None
        self.forges = False
        self.withholds = -1
        self.replays = 0
        self.excuses = False
        self.is_frozen = False
        self.lag_s = 0.0
        self.died_s = NEVER
        self.slept_s = 0.0
        self._armed_s = NEVER
        self._spare = Spare(0.0)
        self._ticket = 0
        self._act: dict[type, Callable[..., None]] = {
            Send: self._send,
            LeaveOut: self._leave_out,
            StartPush: self._start_push,
            StopPush: self._stop_push,
            Pull: self._pull,
            Deliver: self._deliver,
            Skip: self._skip,
            Forget: self._forget,
            Dial: self._dial,
            Drop: self._drop,
        }

    # Its life.

    def start(self, core: Core, candidates: Sequence[NodeId]) -> None:
        now = self.world.clock.now
        self.core, self.is_alive, self.began_s = core, True, now
        core.candidates(candidates, now)
        self.flush()

    def leave(self) -> None:
        """The process ends as it should: it says so, then its links are closed."""
        self.core.leave(self.world.clock.now)
        self.flush()
        self._end()
        for link in list(self.links.values()):
            self.world.network.close(link)

    def kill(self, *, with_machine: bool = False) -> None:
        """The process, or the machine that it runs on."""
        self._end()
        if not with_machine:
            self.world.network.end_lanes(self)
        self.world.network.vanish(self)

    def _end(self) -> None:
        self.is_alive = False
        self.died_s = self.world.clock.now
        self.uplink.clear()

    def sleep(self) -> None:
        """The process stops without an end (SIGSTOP, a closed lid): what comes waits."""
        self.asleep = []
        self.slept_s -= self.world.clock.now
        self.uplink.clear()
        self.world.network.vanish(self)

    def wake(self) -> None:
        waiting, self.asleep = self.asleep or [], None
        self.slept_s += self.world.clock.now
        for link in list(self.links.values()):
            if not link.other.is_up:
                waiting.append((self.world.network.give_up, (link,)))
            else:
                self.world.network.mend(link)
        for act, given in waiting:
            act(*given)
        self._timer(self._armed_s)

    def hear_of(self, nodes: Sequence[NodeId]) -> None:
        """The catalogue and the mesh name others who take part."""
        if self.is_alive and self.asleep is None:
            self.core.candidates(nodes, self.world.clock.now)
            self.flush()

    # What comes in.

    def linked(self, link: Link) -> None:
        self.core.connected(link.far_id, 2 * link.delay_s, self.world.clock.now)
        self.flush()

    def unlinked(self, link: Link) -> None:
        link.pushes.clear()
        now = self.world.clock.now
        if not self.is_alive:
            return
        for seqs in link.asked.values():
            self.core.pulled(link.far_id, seqs, now)
        link.asked.clear()
        self.core.disconnected(link.far_id, now)
        self.flush()

    def lane_lost(self, link: Link) -> None:
        if self.is_alive and link.is_up and self.asleep is None:
            self.core.suspected(link.far_id, self.world.clock.now)
            self.flush()

    def message_came(self, link: Link, message: LiveMessage) -> None:
        if not self.is_alive or not link.is_up:
            return
        if self.asleep is not None:
            self.asleep.append((self.message_came, (link, message)))
            return
        try:
            self.core.receive(link.far_id, message, self.world.clock.now)
        except RemoteProtocolError:
            self.world.tally.protocol_errors += 1
            self._ban(link)
        self.flush()

    def part_came(self, link: Link, parcel: Parcel) -> None:
        if not self.is_alive or not link.is_up:
            return
        if self.asleep is not None:
            self.asleep.append((self.part_came, (link, parcel)))
            return
        if parcel.is_end:
            self._answered(link, parcel.ticket, is_busy=parcel.is_word)
            return
        world = self.world
        if parcel.is_word:
            self._missed(link, parcel.seq)
        elif parcel.is_forged:
            world.tally.forged_refused += 1
            self._ban(link)
            self.flush()
        elif self.lag_s and not self.is_source:
            world.clock.at(world.clock.now + self.lag_s, self._verified, link, parcel)
        else:
            self._verified(link, parcel)

    def _verified(self, link: Link, parcel: Parcel) -> None:
        world, seq = self.world, parcel.seq
        if self.is_frozen:
            return
        info, now, tally = world.stream.infos[seq], world.clock.now, world.tally
        tally.part_bytes += info.size_bytes
        if self.has(seq):
            tally.parts_duplicate += 1
            is_new = False
        else:
            is_new = self.core.is_wanted(info, now)
            tally.parts_unwanted += not is_new
        if not is_new:
            if parcel.is_push:
                self.core.part_repeated(seq, link.far_id, now)
            self.flush()
            return
        self.hold(seq)
        made_s = world.stream.made_s[seq]
        if parcel.is_push:
            tally.parts_pushed += 1
        elif made_s < self.fed_s:
            tally.parts_burst += 1
        else:
            tally.parts_pulled += 1
        if made_s >= self.fed_s:
            world.record.delay.add(now - made_s)
        elif self.fed_s == NEVER:
            self.fed_s = now
        self._forward(seq, self.core.forward(info, link.far_id))
        self.core.part_arrived(info, link.far_id, now, is_pushed=parcel.is_push)
        self.flush()

    def make(self, info: PartInfo) -> None:
        """The source made one."""
        self.hold(info.seq)
        self._forward(info.seq, self.core.forward(info, None))
        self.core.part_arrived(info, None, self.world.clock.now, is_pushed=False)
        self.flush()

    def parts_asked(self, link: Link, ticket: int, seqs: tuple[int, ...]) -> None:
        if not self.is_alive or not link.is_up:
            return
        if self.asleep is not None:
            self.asleep.append((self.parts_asked, (link, ticket, seqs)))
            return
        kind = REPAIR if len(seqs) <= REPAIR_PARTS else BURST
        now = self.world.clock.now
        end = Parcel(0, END_BYTES, now, 0, ticket, kind, is_end=True)
        if not self._spare.has_some(self._spare_bytes_s(now), now):
            self.uplink.put(link.flow, end.as_busy())
            return
        for seq in filter(self.has, seqs):
            self._spare.take(self.world.stream.infos[seq].size_bytes)
            self._put(link.flow, seq, ticket, kind)
        self.uplink.put(link.flow, end)

    def _spare_bytes_s(self, now: float) -> float:
        """What the children leave of the uplink; nothing while most of them wait."""
        waits_s: list[float] = []
        for link in self.links.values():
            if link.pushes:
                waits_s += [link.flow.oldest_s(now)] * len(link.pushes)
        if is_overloaded(waits_s):
            return 0.0
        used_bps = len(waits_s) * self.world.stream.form.stripe_bps
        return spare_bps(8 * self.uplink.rate, used_bps, DEFAULT.uplink_share) / 8

    def _missed(self, link: Link, seq: int) -> None:
        try:
            self.core.left_out(seq, link.far_id, self.world.clock.now)
        except RemoteProtocolError:
            self.world.tally.protocol_errors += 1
            self._ban(link)
        self.flush()

    def _answered(self, link: Link, ticket: int, *, is_busy: bool = False) -> None:
        seqs = link.asked.pop(ticket, None)
        if seqs is not None and self.is_alive and self.asleep is None:
            self.core.pulled(link.far_id, seqs, self.world.clock.now, is_busy=is_busy)
            self.flush()

    def _backlog(self, flow: Flow, stripe: int, waited_s: float) -> None:
        if self.is_alive and flow.link.is_up and not self.is_hostile:
            self.core.backlog(flow.link.far_id, stripe, waited_s, self.world.clock.now)
            self.flush()

    def _timer(self, due_s: float) -> None:
        if due_s == self._armed_s and self.is_alive and self.asleep is None:
            self._armed_s = NEVER
            self.flush()

    # What it holds.

    def has(self, seq: int) -> bool:
        if seq >= len(self.held) or not self.held[seq]:
            return False
        return seq > self.edge - RING_PARTS or self.world.stream.infos[seq].is_init

    def hold(self, seq: int) -> None:
        held = self.held
        if seq >= len(held):
            held.extend(bytes(seq + 256 - len(held)))
        held[seq] = 1
        if seq > self.edge:
            self.edge = seq

    # What the overlay wants.

    def flush(self) -> None:
        """Carry out what the overlay wants, its timer included when that is due."""
        core, act = self.core, self._act
        for command in core.commands():
            act[type(command)](command)
        due_s, clock = core.timer_s, self.world.clock
        if due_s <= clock.now:
            core.handle_timer(clock.now)
            for command in core.commands():
                act[type(command)](command)
            due_s = core.timer_s
        if due_s < self._armed_s:
            self._armed_s = due_s = max(due_s, clock.now + SOONEST_S)
            clock.at(due_s, self._timer, due_s)

    def _send(self, command: Send) -> None:
        link = self.links.get(command.node)
        if link is None:
            return
        message: LiveMessage | None = command.message
        if self.mask is not None:
            message = self.mask(link, command.message)
        if message is not None:
            self.world.network.send(link, message)

    def _forward(self, seq: int, nodes: tuple[NodeId, ...]) -> None:
        links, stripe = self.links, seq % self.world.stripes
        for node in nodes:
            link = links.get(node)
            if link is not None:
                ticket = link.pushes.get(stripe)
                if ticket is not None:
                    self._put(link.flow, seq, ticket, PUSH)

    def _leave_out(self, command: LeaveOut) -> None:
        link = self.links.get(command.node)
        if link is not None:
            waiting = {parcel.seq for parcel in link.flow.waiting[PUSH]}
            link.spared.update(n for n in command.seqs if n in waiting or not self.has(n))

    def _put(self, flow: Flow, seq: int, ticket: int, kind: int) -> None:
        world = self.world
        stripe = seq % world.stripes
        if stripe == self.withholds:
            return
        if self.replays and kind == PUSH:
            seq = max(seq - self.replays, stripe)
        size_bytes = world.stream.infos[seq].size_bytes + PART_HEAD_BYTES
        parcel = Parcel(seq, size_bytes, world.clock.now, stripe, ticket, kind, False, self.forges)
        if self.excuses and kind == PUSH:
            parcel = parcel.as_word()
        self.uplink.put(flow, parcel)

    def _start_push(self, command: StartPush) -> None:
        link = self.links.get(command.node)
        if link is None:
            return
        stripe, stripes = command.stripe, self.world.stripes
        self._ticket += 1
        link.pushes[stripe] = self._ticket
        far = link.far
        if isinstance(far, Peer):
            if stripe in far.parents and far.parents[stripe] is not self:
                self.world.tally.reparents += 1
            far.parents[stripe] = self
        first = max(command.first, self.edge - RING_PARTS, 0)
        for seq in range(first + (stripe - first) % stripes, self.edge + 1, stripes):
            if self.has(seq):
                self._put(link.flow, seq, self._ticket, PUSH)

    def _stop_push(self, command: StopPush) -> None:
        link = self.links.get(command.node)
        if link is not None:
            link.pushes.pop(command.stripe, None)

    def _pull(self, command: Pull) -> None:
        link = self.links.get(command.node)
        now = self.world.clock.now
        if link is None:
            # an event of its own: we are amid the commands
            self.world.clock.at(now, self._pull_failed, command)
            return
        self._ticket += 1
        link.asked[self._ticket] = command.seqs
        self.world.network.ask(link, self._ticket, GetParts(LIVE, command.seqs))
        self.world.clock.at(now + PULL_TIMEOUT_S, self._answered, link, self._ticket)

    def _pull_failed(self, command: Pull) -> None:
        if self.is_alive and self.asleep is None:
            self.core.pulled(command.node, command.seqs, self.world.clock.now)
            self.flush()

    def _deliver(self, command: Deliver) -> None:
        seq, player, world = command.seq, self.player, self.world
        now = world.clock.now
        if seq <= player.last_seq or not self.has(seq):
            world.tally.out_of_order += 1
        if player.began_s < 0.0:
            world.record.first.add(now - self.began_s)
        is_in_time = player.deliver(seq, world.stream.made_s[seq], now)
        world.record.shown(now, 1, is_in_time)

    def _skip(self, command: Skip) -> None:
        parts = command.next - command.first
        self.player.skip(parts)
        self.world.record.shown(self.world.clock.now, parts, 0)

    def _forget(self, command: Forget) -> None:
        pass

    def _dial(self, command: Dial) -> None:
        self.world.network.dial(self, command.node)

    def _drop(self, command: Drop) -> None:
        link = self.links.get(command.node)
        if command.hostile:
            self.banned.add(command.node)
            self._blame(link)
        if link is not None:
            # an event of its own: we are amid the commands
            self.world.clock.at(self.world.clock.now, self.world.network.close, link)

    def _ban(self, link: Link) -> None:
        """The shell found it out: a forged part, a broken rule."""
        self.banned.add(link.far_id)
        self._blame(link)
        self.world.network.close(link)

    def _blame(self, link: Link | None) -> None:
        if link is not None and isinstance(link.far, Peer) and not self.is_hostile:
            if link.far.is_hostile:
                self.world.tally.banned_hostile += 1
            else:
                self.world.tally.banned_honest += 1
