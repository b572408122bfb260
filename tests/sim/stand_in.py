"""The simplest overlay that works: the source pushes everything to everybody."""

from collections.abc import Sequence

from headwater.overlay.commands import Command, Deliver, Dial, Send, StartPush
from headwater.sim.chance import Random
from headwater.sim.peer import Core, Peer
from headwater.sim.stream import LIVE
from headwater.wire.ids import NodeId
from headwater.wire.live import LiveMessage, PartInfo, Subscribe

STRIPES = 4


class Star:
    """A `Core` without any care: no repair, no capacity, no order kept over a hole."""

    def __init__(self, peer: Peer) -> None:
        self.timer_s = float("inf")
        self._is_source = peer.is_source
        self._children: dict[int, list[NodeId]] = {stripe: [] for stripe in range(STRIPES)}
        self._next = -1
        self._held: set[int] = set()
        self._commands: list[Command] = []

    def candidates(self, nodes: Sequence[NodeId], now: float) -> None:
        if nodes and not self._is_source:
            self._commands.append(Dial(nodes[0]))

    def connected(self, node: NodeId, rtt_s: float | None, now: float) -> None:
        if not self._is_source:
            self._commands += (Send(node, Subscribe(LIVE, each, 0, 0)) for each in range(STRIPES))

    def disconnected(self, node: NodeId, now: float) -> None:
        for nodes in self._children.values():
            if node in nodes:
                nodes.remove(node)

    def receive(self, node: NodeId, message: LiveMessage, now: float) -> None:
        if isinstance(message, Subscribe):
            self._children[message.stripe].append(node)
            first = max(self._held, default=0) + 1
            self._commands.append(StartPush(node, message.stripe, first))

    def part_repeated(self, seq: int, source: NodeId, now: float) -> None:
        pass

    def left_out(self, seq: int, source: NodeId, now: float) -> None:
        pass

    def is_wanted(self, info: PartInfo, now: float) -> bool:
        return info.seq not in self._held

    def forward(self, info: PartInfo, source: NodeId | None) -> tuple[NodeId, ...]:
        return tuple(self._children[info.seq % STRIPES])

    def part_arrived(
        self, info: PartInfo, source: NodeId | None, now: float, *, is_pushed: bool
    ) -> bool:
        self._held.add(info.seq)
        if self._next < 0:
            self._next = info.seq
        while not self._is_source and self._next in self._held:
            self._commands.append(Deliver(self._next))
            self._next += 1
        return True

    def suspected(self, node: NodeId, now: float) -> None: ...
    def pulled(
        self, node: NodeId, seqs: tuple[int, ...], now: float, *, is_busy: bool = False
    ) -> None: ...
    def backlog(self, node: NodeId, stripe: int, delay_s: float, now: float) -> None: ...
    def uplink(self, slots: int, now: float) -> None: ...
    def handle_timer(self, now: float) -> None: ...
    def leave(self, now: float) -> None: ...

    def commands(self) -> list[Command]:
        drained, self._commands = self._commands, []
        return drained


def star(peer: Peer, rng: Random) -> Core:
    return Star(peer)
