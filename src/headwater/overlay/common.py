"""What the parts of an overlay share: who and where we are, what is known, what is to be done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from headwater.overlay.commands import Command, Send
from headwater.overlay.lateness import Arrivals, Cadence
from headwater.overlay.limits import Limits
from headwater.overlay.partner import Partner
from headwater.overlay.window import Window
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.live import (
    Accept,
    LiveHave,
    LiveJoin,
    LiveMessage,
    LivePeers,
    Path,
    Redirect,
)

__all__ = ["Common", "Counters", "Rng"]

T = TypeVar("T")
ENVELOPE_BYTES = 56
"""A message with its tag, the live's id and the frame's length; measured, rounded up."""


class Rng(Protocol):
    """Chance, handed in: random.Random fits."""

    def random(self) -> float: ...
    def sample(self, population: Sequence[T], k: int) -> list[T]: ...
    def choice(self, seq: Sequence[T]) -> T: ...


@dataclass(slots=True)
class Counters:
    """Since the start. `control_bytes` is an estimate of what was said, links' own cost aside."""

    parts: int = 0
    duplicates: int = 0
    pulled_parts: int = 0
    pulls: int = 0
    grafts: int = 0
    switches: int = 0
    skips: int = 0
    holds: int = 0
    loops: int = 0
    control_messages: int = 0
    control_bytes: int = 0


@dataclass(slots=True, eq=False)
class Common:
    live: LiveId
    me: NodeId
    is_source: bool
    stripes: int
    part_s: float
    rng: Rng
    limits: Limits
    window: Window
    cadence: Cadence
    arrivals: Arrivals = field(default_factory=Arrivals)
    partners: dict[NodeId, Partner] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    out: list[Command] = field(default_factory=list)

    def send(self, node: NodeId, message: LiveMessage) -> None:
        self.out.append(Send(node, message))
        self.counters.control_messages += 1
        self.counters.control_bytes += _size_bytes(message)

    def spread(self, span_s: float) -> float:
        """`span_s`, half to one and a half of it: so that many do not act at once."""
        return span_s * (0.5 + self.rng.random())


def _size_bytes(message: LiveMessage) -> int:
    if isinstance(message, LiveHave):
        return ENVELOPE_BYTES + 14 + len(message.bits)
    if isinstance(message, Accept | Path):
        return ENVELOPE_BYTES + 20 + 34 * len(message.ancestors)
    if isinstance(message, Redirect | LivePeers):
        return ENVELOPE_BYTES + 20 + 34 * len(message.nodes)
    return ENVELOPE_BYTES + (40 if isinstance(message, LiveJoin) else 20)
