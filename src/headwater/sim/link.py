"""One end of a connection between two simulated nodes, and what travels on it."""

from typing import NamedTuple, Protocol

from headwater.wire.ids import NodeId
from headwater.wire.live import LiveMessage

__all__ = ["BURST", "PUSH", "REPAIR", "Flow", "Link", "Parcel", "Station"]


REPAIR, PUSH, BURST = range(3)
"""Parts that leave an uplink in this order: a hole is older than what is pushed; a group that a
joiner asks for can wait."""
WORD_BYTES = 10
"""What is sent in place of a part that is left out."""


class Parcel(NamedTuple):
    """A part on its way to a neighbour, or the end of an answer to GetParts.

    `ticket`: of a pushed part the number of its stream, of an answer the number of the question.
    `kind`: what goes before what. `is_end`: the answer is complete; it carries no part. `is_word`:
    a pushed part was left out, and this tells so; of an answer, that there is none now."""

    seq: int
    size_bytes: int
    queued_s: float
    stripe: int
    ticket: int
    kind: int
    is_end: bool = False
    is_forged: bool = False
    is_word: bool = False

    def as_word(self) -> "Parcel":
        """In place of it."""
        return self._replace(size_bytes=WORD_BYTES, is_word=True)

    def as_busy(self) -> "Parcel":
        """In place of an answer."""
        return self._replace(is_word=True)

    @property
    def is_push(self) -> bool:
        return self.kind == PUSH


class Station(Protocol):
    """A node as the network sees it."""

    id: NodeId
    is_source: bool
    is_alive: bool
    is_nat: bool
    place: tuple[float, float]
    side: int
    """Nodes of different sides do not reach each other."""
    links: "dict[NodeId, Link]"
    banned: set[NodeId]

    def linked(self, link: "Link") -> None: ...
    def unlinked(self, link: "Link") -> None: ...
    def lane_lost(self, link: "Link") -> None: ...
    def message_came(self, link: "Link", message: LiveMessage) -> None: ...
    def part_came(self, link: "Link", parcel: Parcel) -> None: ...
    def parts_asked(self, link: "Link", ticket: int, seqs: tuple[int, ...]) -> None: ...


class Flow:
    """What waits to leave on one link, by kind. `since_s`: when the pushed part that is leaving
    until `until_s` was put. `told_s`: the backlog that was told last, by stripe."""

    __slots__ = ("link", "since_s", "told_s", "until_s", "waiting")

    def __init__(self, link: "Link") -> None:
        self.link = link
        # lists, though they are queues: few ever hold something, and a deque takes half a KB
        self.waiting: tuple[list[Parcel], ...] = ([], [], [])
        self.since_s = self.until_s = 0.0
        self.told_s: dict[int, float] = {}

    def oldest_s(self, now: float) -> float:
        """How long the oldest pushed part has been under way here."""
        if now < self.until_s:
            return now - self.since_s
        pushed = self.waiting[PUSH]
        return now - pushed[0].queued_s if pushed else 0.0


class Link:
    """What `owner` holds of its connection with `far`; `other` is the end over there.

    `pushes`: the number of the stream that is open to it, by stripe. `spared`: parts still to be
    pushed to it that it has already. `asked`: what was asked of it, by the question's number.
    `stream_s`, `control_s`: when the last of each stream arrives there: nothing overtakes within a
    stream. `has_lane`: pushes go by a connection of their own, whose end is seen at once."""

    __slots__ = (
        *("owner", "far", "far_id", "other", "delay_s", "is_up", "is_cut", "has_lane"),
        *("control_s", "stream_s", "pushes", "spared", "asked", "flow"),
    )
    other: "Link"

    def __init__(self, owner: Station, far: Station, delay_s: float) -> None:
        self.owner, self.far, self.delay_s = owner, far, delay_s
        self.far_id = far.id
        self.is_up = True
        self.is_cut = self.has_lane = False
        self.control_s = 0.0
        self.stream_s: dict[int, float] = {}
        self.pushes: dict[int, int] = {}
        self.spared: set[int] = set()
        self.asked: dict[int, tuple[int, ...]] = {}
        self.flow = Flow(self)
