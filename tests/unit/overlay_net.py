"""A few overlays joined by links that delay and die, on a virtual clock: what the overlay's tests
run on. Small and strict; the simulation proper is headwater.sim."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count, pairwise
from random import Random

from headwater.errors import RemoteProtocolError
from headwater.overlay import (
    Command,
    Deliver,
    Dial,
    Drop,
    Forget,
    Limits,
    Overlay,
    Pull,
    Send,
    Skip,
    StartPush,
    StopPush,
)
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.live import LiveMessage, PartInfo

LIVE = LiveId(hashlib.sha256(b"a live").digest())
PART_S = 0.1
GROUP_PARTS = 10


def node_id(name: str) -> NodeId:
    return NodeId(hashlib.sha256(name.encode()).digest())


def part_at(seq: int, *, group_parts: int = GROUP_PARTS, init: int = 0, epoch: int = 0) -> PartInfo:
    """Part `seq` of a stream whose init is part `init`, with a keyframe every `group_parts`."""
    group = seq if seq == init else init + 1 + (seq - init - 1) // group_parts * group_parts
    pts_us = round(max(seq - 1, 0) * PART_S * 1e6)
    return PartInfo(LIVE, epoch, seq, group, init, pts_us, 100_000, pts_us, 1000, bytes(32))


@dataclass(eq=False)
class Peer:
    """A node: its overlay, what it keeps, what its player got."""

    name: str
    overlay: Overlay
    is_source: bool
    ring: dict[int, PartInfo] = field(default_factory=dict)
    pushes: dict[tuple[NodeId, int], int] = field(default_factory=dict)
    played: list[tuple[float, int]] = field(default_factory=list)
    skipped: list[tuple[int, int]] = field(default_factory=list)
    arrived_at: dict[int, float] = field(default_factory=dict)
    forwarded: set[tuple[NodeId, int]] = field(default_factory=set)
    banned: set[NodeId] = field(default_factory=set)
    is_up: bool = True
    frozen_at: float | None = None
    inbox: list[Callable[["Peer"], None]] = field(default_factory=list)
    has_ended: bool = False
    wake_at: float = float("inf")
    run: int = 0
    forgot: int = 0
    withholds: int = -1
    """A hostile one does not push this stripe; -2: none at all."""
    replays: bool = False


class Net:
    """Peers and the links between them. `delay_s` of a link is drawn once."""

    def __init__(self, seed: int = 0, *, stripes: int = 4, limits: Limits | None = None) -> None:
        self.rng, self.now, self.stripes = Random(seed), 0.0, stripes
        self.limits = limits or Limits()
        self.peers: dict[NodeId, Peer] = {}
        self.links: dict[frozenset[NodeId], float] = {}
        self.allowed: Callable[[str, str], bool] = lambda a, b: True
        self.delays: Callable[[Random], float] = lambda rng: rng.uniform(0.002, 0.03)
        self.push_loss = 0.0
        self.silence_s = 1.5
        self.group_parts = GROUP_PARTS
        self.sent: dict[str, int] = defaultdict(int)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.seq = self.init = self.epoch = 0
        self.is_live = True
        self.taps: list[Callable[[Peer, Command], None]] = []

    # Building.

    def add(
        self, name: str, slots: int, *, is_source: bool = False, wants_delivery: bool = True
    ) -> Peer:
        overlay = Overlay(
            *(LIVE, node_id(name)),
            is_source=is_source,
            stripes=self.stripes,
            part_s=PART_S,
            slots=slots,
            rng=Random(self.rng.random()),
            now=self.now,
            limits=self.limits,
            wants_delivery=wants_delivery,
        )
        peer = self.peers[node_id(name)] = Peer(name, overlay, is_source)
        if is_source:
            self.after(0.0, self._make_part)
        self.settle(peer)
        return peer

    def __getitem__(self, name: str) -> Peer:
        return self.peers[node_id(name)]

    def link(self, a: str, b: str) -> None:
        one, other = self.peers.get(node_id(a)), self.peers.get(node_id(b))
        key = frozenset((node_id(a), node_id(b)))
        if one is None or other is None or key in self.links or a == b:
            return
        if not (one.is_up and other.is_up and self.allowed(a, b)):
            return
        if node_id(a) in other.banned or node_id(b) in one.banned:
            return
        delay = self.links[key] = self.delays(self.rng)
        for peer, far in ((one, other), (other, one)):
            peer.overlay.connected(node_id(far.name), 2 * delay, self.now)
            self.settle(peer)

    def unlink(self, a: NodeId, b: NodeId) -> None:
        if self.links.pop(frozenset((a, b)), None) is None:
            return
        for mine, far in ((a, b), (b, a)):
            peer = self.peers.get(mine)
            if peer is not None and peer.frozen_at is not None:
                peer.inbox.append(lambda peer, far=far: self._unlinked(peer, far))  # type: ignore[misc]
            elif peer is not None and peer.is_up:
                self._unlinked(peer, far)

    def _unlinked(self, peer: Peer, far: NodeId) -> None:
        if frozenset((node_id(peer.name), far)) in self.links:
            return  # linked again meanwhile
        for key in [key for key in peer.pushes if key[0] == far]:
            del peer.pushes[key]
        peer.overlay.disconnected(far, self.now)
        self.settle(peer)

    def mesh(self) -> None:
        names = [peer.name for peer in self.peers.values()]
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                self.link(a, b)

    def kill(self, name: str) -> None:
        """As kill -9 does: nothing is said, the links die after a silence."""
        peer = self[name]
        peer.is_up = False
        self._cut_later(peer)

    def freeze(self, name: str) -> None:
        """As SIGSTOP or a closed lid: what comes waits, pushes only while buffers have room."""
        peer = self[name]
        peer.frozen_at = self.now
        self._cut_later(peer)

    def thaw(self, name: str) -> None:
        peer = self[name]
        peer.frozen_at = None
        waiting, peer.inbox = peer.inbox, []
        for action in waiting:
            action(peer)
        peer.wake_at = float("inf")
        self.settle(peer)

    def _cut_later(self, peer: Peer) -> None:
        me = node_id(peer.name)
        for key in [key for key in self.links if me in key]:
            (far,) = key - {me}
            self.after(self.silence_s, lambda far=far: self.unlink(me, far))  # type: ignore[misc]

    def restart(self, name: str, slots: int) -> Peer:
        me = node_id(name)
        for key in [key for key in self.links if me in key]:
            (far,) = key - {me}
            self.unlink(me, far)
        return self.add(name, slots)

    def turn(self, name: str, behaviour: str) -> None:
        """Make a node a hostile one."""
        peer = self[name]
        if behaviour == "withholds":
            stripes = peer.overlay.report().stripes
            peer.withholds = max(range(self.stripes), key=lambda s: len(stripes[s].children))
        elif behaviour == "frozen":
            peer.withholds = -2
        elif behaviour == "replays":
            peer.replays = True
        elif behaviour == "boasts":
            peer.overlay.uplink(100, self.now)
            peer.withholds = -2
            self.settle(peer)
        elif behaviour == "lies":
            peer.overlay._children.tell_path = lambda stripe: None  # type: ignore[method-assign]

    # Running.

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        heappush(self._events, (self.now + delay_s, next(self._order), action))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, action = heappop(self._events)
            action()
        self.now = end

    def new_epoch(self) -> None:
        """The encoder starts anew: the next part is an init."""
        self.init, self.epoch = self.seq, self.epoch + 1

    def go_on(self) -> None:
        self.is_live = True
        self._make_part()

    def _make_part(self) -> None:
        if not self.is_live:
            return
        for peer in self.peers.values():
            if peer.is_source and peer.is_up:
                info = part_at(
                    *(self.seq,),
                    group_parts=self.group_parts,
                    init=self.init,
                    epoch=self.epoch,
                )
                if peer.frozen_at is None:
                    self._made(peer, info)
                else:  # the encoder is a process of its own
                    peer.inbox.append(partial(self._made, info=info))
        self.seq += 1
        self.after(0.0 if self.seq == self.init + 1 else PART_S, self._make_part)

    def _made(self, peer: Peer, info: PartInfo) -> None:
        peer.ring[info.seq] = info
        peer.arrived_at[info.seq] = self.now
        self._arrived(peer, info, None, is_pushed=False)

    def settle(self, peer: Peer) -> None:
        """Do what it asks for, then see to its timer."""
        while commands := peer.overlay.commands():
            for command in commands:
                for tap in self.taps:
                    tap(peer, command)
                self._do(peer, command)
        wake_at = peer.overlay.timer_s
        if wake_at < peer.wake_at:
            peer.wake_at = wake_at
            self.after(max(0.0, wake_at - self.now), lambda: self._timer(peer, wake_at))

    def _timer(self, peer: Peer, at: float) -> None:
        if peer.wake_at != at or not peer.is_up:
            return
        peer.wake_at = float("inf")
        if peer.frozen_at is None:
            peer.overlay.handle_timer(self.now)
            self.settle(peer)

    def _do(self, peer: Peer, command: Command) -> None:
        me = node_id(peer.name)
        match command:
            case Send(node, message):
                self._send(me, node, message)
            case StartPush(node, stripe, first):
                peer.pushes[node, stripe] = first
                for seq in sorted(peer.ring):
                    if seq >= first and seq % self.stripes == stripe:
                        self._push(peer, node, seq)
            case StopPush(node, stripe):
                peer.pushes.pop((node, stripe), None)
            case Pull(node, seqs):
                self._pull(peer, node, seqs)
            case Deliver(seq):
                peer.played.append((self.now, seq))
            case Skip(first, after):
                peer.skipped.append((first, after))
            case Forget(below):
                peer.forgot = below
                inits = {info.init for info in peer.ring.values()}
                for seq in [s for s in peer.ring if s < below - 600 and s not in inits]:
                    del peer.ring[seq]
            case Dial(node):
                far = self.peers.get(node)
                if far is not None:
                    self.after(0.03, lambda: self.link(peer.name, far.name))
            case Drop(node, _, hostile):
                if hostile:
                    peer.banned.add(node)
                self.after(0.0, lambda: self.unlink(me, node))

    def _delay(self, a: NodeId, b: NodeId) -> float | None:
        return self.links.get(frozenset((a, b)))

    def _push(self, peer: Peer, node: NodeId, seq: int) -> None:
        assert (node, seq % self.stripes) in peer.pushes, "forwarded without a StartPush"
        if peer.withholds in (-2, seq % self.stripes):
            return
        if peer.replays:
            seq = max(seq - 40, seq % self.stripes)
        info, far = peer.ring.get(seq), self.peers[node]
        if info is None:
            return
        if far.frozen_at is not None and self.now - far.frozen_at > 1.0:
            return
        if self.rng.random() < self.push_loss:
            return
        self.sent["push"] += 1
        self._carry(node_id(peer.name), node, lambda far: self._part(far, peer, info, True))

    def _pull(self, peer: Peer, node: NodeId, seqs: tuple[int, ...]) -> None:
        me = node_id(peer.name)
        answered = peer.run
        self.sent["pull"] += len(seqs)

        def serve(far: Peer) -> None:
            infos = [far.ring[seq] for seq in seqs if seq in far.ring]

            def answer(back: Peer) -> None:
                for info in infos:
                    self._part(back, far, info, False)
                back.overlay.pulled(node, seqs, self.now)
                self.settle(back)

            self._carry(node, me, answer)

        assert answered == peer.run
        self._carry(me, node, serve)

    def _part(self, peer: Peer, source: Peer, info: PartInfo, is_pushed: bool) -> None:
        if not peer.overlay.is_wanted(info, self.now):
            if is_pushed:
                peer.overlay.part_repeated(info.seq, node_id(source.name), self.now)
                self.settle(peer)
            return
        if info.seq not in peer.ring:
            peer.ring[info.seq] = info
            peer.arrived_at[info.seq] = self.now
        self._arrived(peer, info, node_id(source.name), is_pushed=is_pushed)

    def _arrived(self, peer: Peer, info: PartInfo, source: NodeId | None, is_pushed: bool) -> None:
        for node in peer.overlay.forward(info, source):
            self._push(peer, node, info.seq)
        peer.overlay.part_arrived(info, source, self.now, is_pushed=is_pushed)
        self.settle(peer)

    def _send(self, me: NodeId, node: NodeId, message: LiveMessage) -> None:
        self.sent["message"] += 1

        def receive(far: Peer) -> None:
            try:
                far.overlay.receive(me, message, self.now)
            except RemoteProtocolError:
                far.banned.add(me)
                self.unlink(node, me)
                return
            self.settle(far)

        self._carry(me, node, receive)

    def _carry(self, me: NodeId, node: NodeId, action: Callable[[Peer], None]) -> None:
        delay = self._delay(me, node)
        if delay is None:
            return
        far = self.peers[node]

        def arrive() -> None:
            if self._delay(me, node) is None or not far.is_up or self.peers.get(node) is not far:
                return
            if far.frozen_at is None:
                action(far)
            else:
                far.inbox.append(action)

        self.after(delay, arrive)

    # Looking.

    def gap_s(self, name: str, start: float, end: float) -> float:
        """The longest time between two parts at the player of `name` in that time."""
        times = [t for t, _ in self[name].played if start <= t <= end]
        return max((b - a for a, b in pairwise(times)), default=end - start)

    def check(self, besides: str = "") -> None:
        """What must hold at any time, `besides` a hostile one."""
        for node, peer in self.peers.items():
            if peer.name == besides:
                continue
            report = peer.overlay.report()
            capacity = peer.overlay._capacity
            assert capacity.used <= capacity.slots, "more children stay than slots"
            children = sum(len(stripe.children) for stripe in report.stripes)
            assert children == capacity.used + capacity.leaving
            for stripe in report.stripes:
                assert node not in stripe.ancestors, "a node is its own ancestor"
                assert stripe.parent not in stripe.children or stripe.parent is None
            seqs = [seq for _, seq in peer.played]
            assert seqs == sorted(set(seqs)), "delivered twice or out of order"
            for a, b in pairwise(seqs[1:]):
                assert b == a + 1 or any(f == a + 1 and n == b for f, n in peer.skipped)

    def loops(self) -> list[list[str]]:
        """Rings of parents, per stripe."""
        found = []
        for stripe in range(self.stripes):
            parents = {
                node: peer.overlay.report().stripes[stripe].parent
                for node, peer in self.peers.items()
                if peer.is_up
            }
            for start in parents:
                seen, node = [], start
                while node is not None and node in parents and node not in seen:
                    seen.append(node)
                    node = parents[node]  # type: ignore[assignment]
                if node == start and len(seen) > 0 and parents.get(seen[-1]) == start:
                    found.append([self.peers[each].name for each in seen])
        return found
