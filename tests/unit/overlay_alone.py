"""One overlay whose neighbours are the test."""

from random import Random
from typing import TypeVar

from overlay_net import LIVE, PART_S, node_id, part_at

from headwater.overlay import Command, Limits, Overlay, Send
from headwater.wire.ids import NodeId
from headwater.wire.live import Accept, LiveHave, LiveJoin, LiveMessage, Subscribe

M = TypeVar("M", bound=LiveMessage)
ALL = 0b1111
FULL = b"\xff" * 32


class Alone:
    """One overlay whose neighbours are the test."""

    def __init__(self, *, slots: int = 8, limits: Limits | None = None) -> None:
        self.now = 0.0
        self.overlay = Overlay(
            *(LIVE, node_id("me")),
            is_source=False,
            stripes=4,
            part_s=PART_S,
            slots=slots,
            rng=Random(1),
            now=0.0,
            limits=limits or Limits(),
        )

    def meet(self, node: NodeId, *, edge: int = 100, slots: int = 8, free: int = 8) -> None:
        self.overlay.connected(node, 0.002, self.now)
        self.say(node, LiveJoin(LIVE, slots, free, True, 0, ALL, ALL if free else 0))
        self.say(node, LiveHave(LIVE, edge, FULL))

    def say(self, node: NodeId, message: LiveMessage) -> list[Command]:
        self.overlay.receive(node, message, self.now)
        return self.pass_time(0.0)

    def pass_time(self, seconds: float) -> list[Command]:
        """Let its timers run; returns what it wants done."""
        end, out = self.now + seconds, self.overlay.commands()
        for _ in range(10_000):
            if self.overlay.timer_s > end:
                break
            self.now = max(self.now, self.overlay.timer_s)
            self.overlay.handle_timer(self.now)
            out += self.overlay.commands()
        self.now = end
        return out

    def push(self, seq: int, node: NodeId) -> list[Command]:
        info = part_at(seq)
        if self.overlay.is_wanted(info, self.now):
            self.overlay.part_arrived(info, node, self.now, is_pushed=True)
        else:
            self.overlay.part_repeated(seq, node, self.now)
        return self.overlay.commands()

    def forwarded_of(self, seq: int, node: NodeId) -> tuple[NodeId, ...]:
        """Whom a part goes on to that is pushed by `node`."""
        nodes = self.overlay.forward(part_at(seq), node)
        self.push(seq, node)
        return nodes

    def be_fed_by(
        self, node: NodeId, edge: int = 100, above: tuple[NodeId, ...] = (node_id("root"),)
    ) -> None:
        """Subscribed, accepted, and given all up to `edge`. `above`: its ancestors."""
        out = self.meet_and_listen(node, edge)
        for message in said(out, Subscribe):
            self.say(node, Accept(LIVE, message.stripe, above))
        self.overlay.part_arrived(part_at(0), node, self.now, is_pushed=False)
        for seq in range(edge - 20, edge + 1):
            self.push(seq, node)
        self.pass_time(0.01)

    def meet_and_listen(self, node: NodeId, edge: int) -> list[Command]:
        self.overlay.connected(node, 0.002, self.now)
        out = self.say(node, LiveJoin(LIVE, 8, 8, True, 0, ALL, ALL))
        return out + self.say(node, LiveHave(LIVE, edge, FULL))

    def parents(self) -> list[NodeId | None]:
        return [stripe.parent for stripe in self.overlay.report().stripes]


def said(commands: list[Command], kind: type[M], to: NodeId | None = None) -> list[M]:
    return [
        c.message
        for c in commands
        if isinstance(c, Send) and isinstance(c.message, kind) and to in (None, c.node)
    ]
