"""What is known of a linked node that takes part in the live. Pure."""

import math
from dataclasses import dataclass, field

from headwater.wire.ids import NodeId

__all__ = ["Partner"]

LATENESS_WEIGHT = 0.25
UNKNOWN_RTT_S = 0.1
LEAST_SLOTS = 0.25
"""What a node without a slot is taken to have, when nobody else can be asked."""


@dataclass(slots=True, eq=False)
class Partner:
    """Units: seconds by our clock. Shape: lists have an entry per stripe."""

    node: NodeId
    rtt_s: float
    stripes: int
    slots: int = 0
    free: int = 0
    viewers: int = 0
    flows: int = 0
    open: int = 0
    weakest: int = 0
    """As in LiveJoin."""
    edge: int = -1
    """The newest part that it is known to have."""
    bits: int = 0
    """Bit i: it has `edge - i`."""
    told_us_at: float = 0.0
    """When it announced something last."""
    alive_at: float = -math.inf
    """When anything came from it last."""
    heard_at: float = -math.inf
    """When its edge grew last."""
    lateness_s: list[float | None] = field(default_factory=list)
    refused_until: list[float] = field(default_factory=list)
    avoid_until: float = 0.0
    strikes: int = 0
    struck_at: float = 0.0
    given_edge: int = -1
    given: int = 0
    """What it has pushed: bit i: `given_edge - i`."""
    false_claims: int = 0
    """Parts that it said it had and did not give."""
    load: int = 0
    """Parts that we wait for from it."""
    silences: int = 0
    """Stripes of its that stood still, of late."""
    since: float = 0.0
    said_at: float = 0.0
    """When it told its numbers last."""
    is_root: bool = False
    """It said that it has no ancestors: the source."""
    counted_at: float = 0.0
    messages: float = 0.0
    asked_at: float = 0.0
    subscribes: float = 0.0
    useless_at: float = 0.0
    useless: int = 0

    def __post_init__(self) -> None:
        self.lateness_s = [None] * self.stripes
        self.refused_until = [0.0] * self.stripes

    def has(self, seq: int) -> bool:
        behind = self.edge - seq
        return behind >= 0 and bool(self.bits >> behind & 1)

    def is_fresh(self, stripe: int) -> bool:
        """Of this stripe it has one of the last two parts below its edge; or there is none yet."""
        behind = (self.edge - stripe) % self.stripes
        has_it = bool(self.bits >> behind & (1 | 1 << self.stripes))
        return self.edge >= 0 and (has_it or behind > self.edge)

    def announced(self, edge: int, bits: int, now: float) -> int:
        """Returns what is new of it: bit i, `edge - i`."""
        ahead = edge - self.edge
        if ahead > 0:
            self.heard_at = now
        known = self.bits << min(ahead, bits.bit_length()) if ahead > 0 else self.bits >> -ahead
        self.edge, self.bits, self.told_us_at = edge, bits, now
        return bits & ~known

    def pushed(self, seq: int, now: float, width: int) -> None:
        """It gave us this part: it has it."""
        ahead = seq - self.edge
        if ahead > 0:
            self.bits = (self.bits << ahead | 1) & ((1 << width) - 1) if ahead < width else 1
            self.edge, self.heard_at = seq, now
        else:
            self.bits |= 1 << -ahead if -ahead < width else 0

    def gives(self, seq: int, width: int) -> bool:
        """It pushes this part; False when it did before, or when the part is older than all that
        anybody may still want."""
        ahead = seq - self.given_edge
        if ahead > 0:
            self.given = (self.given << ahead | 1) & ((1 << width) - 1) if ahead < width else 1
            self.given_edge = seq
            return True
        bit = 1 << -ahead
        if -ahead >= width or self.given & bit:
            return False
        self.given |= bit
        return True

    def lacks(self, seq: int) -> bool:
        """It did not give it. True when it had said that it has it."""
        behind = self.edge - seq
        if behind < 0 or not self.bits >> behind & 1:
            return False
        self.bits ^= 1 << behind
        return True

    def was_late(self, stripe: int, late_s: float) -> None:
        known = self.lateness_s[stripe]
        self.lateness_s[stripe] = (
            late_s if known is None else known + LATENESS_WEIGHT * (late_s - known)
        )

    def counts(self, now: float, per_s: int) -> float:
        """How many messages it is ahead of so many a second, this one included."""
        self.messages = max(0.0, self.messages - (now - self.counted_at) * per_s) + 1.0
        self.counted_at = now
        return self.messages

    def asks(self, now: float, per_s: int) -> float:
        """The same of its Subscribes."""
        self.subscribes = max(0.0, self.subscribes - (now - self.asked_at) * per_s) + 1.0
        self.asked_at = now
        return self.subscribes

    def answer_s(self, part_s: float) -> float:
        """How long an answer with one part takes: beside its children it has a quarter of its
        slots left, and those that are free."""
        return self.rtt_s + (1 + self.load) * self.stripes * part_s / max(
            0.25 * self.slots + self.free, 0.25 * LEAST_SLOTS
        )

    def service_s(self, part_s: float, uplink_share: float) -> float:
        """How long its uplink needs for one part, by the slots that it says it has."""
        return uplink_share * self.stripes * part_s / max(self.slots, LEAST_SLOTS)
