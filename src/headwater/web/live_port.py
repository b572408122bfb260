"""What the HTTP side needs of the node's lives: `live/lives.py` satisfies it, as a fake does."""

from collections.abc import Sequence
from typing import Literal, Protocol

from headwater.live.view import Ended, Gap, Start
from headwater.media.live_options import LiveOptions
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

Window = tuple[int, int, int, int]
"""What can be watched now: numbers of the oldest and the newest part, then their `pts_us`."""


class LivePart(Protocol):
    """A fragment: a part, or several, of which `info` is the first one's."""

    @property
    def info(self) -> PartInfo: ...
    @property
    def payload(self) -> bytes: ...


class LiveView(Protocol):
    """One reader of a live. Closing it leaves the overlay when nobody else watches."""

    @property
    def entry(self) -> LiveEntry: ...
    async def next(self) -> LivePart | Gap | Ended: ...
    def init(self, seq: int) -> LivePart | None:
        """The init part of that number, where it is here."""

    def window(self) -> Window | None: ...
    def seek(self, start: Start) -> None: ...
    async def close(self) -> None: ...


class StripeReport(Protocol):
    @property
    def parent(self) -> NodeId | None: ...
    @property
    def children(self) -> Sequence[NodeId]: ...
    @property
    def ancestors(self) -> Sequence[NodeId]:
        """The parent first, the source last."""


class Report(Protocol):
    """What this node knows of the overlay."""

    @property
    def stripes(self) -> Sequence[StripeReport]: ...


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

    async def start(
        self,
        options: LiveOptions,
        title: str,
        *,
        dvr_s: float = 600.0,
        stripes: int = 4,
        keep_recording: bool = True,
    ) -> LiveId:
        """Go on air. Raises: LocalUsageError, Unavailable."""

    async def stop(self, live: LiveId) -> None:
        """Raises: NotFound."""

    def keep(self, live: LiveId, is_kept: bool) -> None: ...
    def relay(self, live: LiveId, is_relayed: bool) -> None: ...
