"""What the HTTP side needs of the node's lives: `live/lives.py` satisfies it, as a fake does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from headwater.wire.ids import LiveId, NodeId
from headwater.wire.items import LiveEntry
from headwater.wire.live import PartInfo

__all__ = [
    "Ended",
    "Gap",
    "LivePart",
    "LiveStatus",
    "LiveView",
    "Lives",
    "Report",
    "Start",
    "Window",
]

Start = Literal["edge"] | int | float
"""Where a view begins: at the newest keyframe, at a part's number, or (a float, not above 0) that
many seconds before the newest part, at a keyframe."""

Window = tuple[int, int, int, int]
"""What can be watched now: numbers of the oldest and the newest part, then their `pts_us`."""


class LivePart(Protocol):
    @property
    def info(self) -> PartInfo: ...
    @property
    def payload(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Gap:
    """Parts are missing; it goes on at `next_seq`, a keyframe or its init."""

    next_seq: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes."""


class LiveView(Protocol):
    """One reader of a live. Closing it leaves the overlay when nobody else watches."""

    @property
    def entry(self) -> LiveEntry: ...
    async def next(self) -> LivePart | Gap | Ended: ...
    def init(self, seq: int) -> LivePart | None:
        """The init part of that number, where it is here."""

    def window(self) -> Window | None: ...
    async def close(self) -> None: ...


class Report(Protocol):
    """What this node knows of the overlay, by stripe."""

    @property
    def parents(self) -> Mapping[int, NodeId]: ...
    @property
    def children(self) -> Mapping[int, Sequence[NodeId]]: ...
    @property
    def ancestors(self) -> Mapping[int, Sequence[NodeId]]:
        """Of this node: its parent first, the source last."""


class LiveStatus(Protocol):
    @property
    def entry(self) -> LiveEntry: ...
    @property
    def channel(self) -> NodeId: ...
    @property
    def uptime_s(self) -> float: ...
    @property
    def viewers(self) -> int: ...
    @property
    def delay_s(self) -> float | None:
        """From being taken to being here; None while that is not known."""

    @property
    def state(self) -> Literal["on", "waiting", "ended"]: ...
    @property
    def is_mine(self) -> bool: ...
    @property
    def is_kept(self) -> bool: ...
    @property
    def message(self) -> str:
        """Of this node's own live: what its ingest says, in plain words."""

    @property
    def report(self) -> Report | None:
        """None while this node takes no part."""


class Lives(Protocol):
    def list(self) -> Sequence[LiveStatus]: ...
    def get(self, live: LiveId) -> LiveStatus:
        """Raises: NotFound."""

    async def watch(self, live: LiveId, start: Start = "edge") -> LiveView:
        """Raises: NotFound, Unavailable."""

    async def stop(self, live: LiveId) -> None: ...
    def keep(self, live: LiveId, is_kept: bool) -> None: ...
