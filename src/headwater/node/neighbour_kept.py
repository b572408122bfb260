"""The nodes that this one wants a link to, dialled again and again for as long as they are
known."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from headwater.errors import NodeError
from headwater.node.neighbour_backoff import BACKOFF_MIN_S, Backoff
from headwater.node.neighbour_hello import Refused, WrongMesh
from headwater.wire.ids import NodeId, short_id

__all__ = ["MAX_KEPT", "STAY_AWAY_S", "Keeper"]

MAX_KEPT = 512
MAX_DIALS = 8
"""At once."""
STAY_AWAY_S = 60.0
"""For a node that asked not to be dialled again."""

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Kept:
    addresses: tuple[str, ...]
    backoff: Backoff
    task: asyncio.Task[None] | None = None
    stay_away_until_s: float = 0.0
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """There is news of it: try at once."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """The link that was up is no more."""


class Keeper:
    """`dial` makes a link, or joins the one that is there, and raises NodeError when it cannot."""

    def __init__(self, dial: Callable[[NodeId, Sequence[str]], Awaitable[object]]) -> None:
        self._dial = dial
        self._kept: dict[NodeId, _Kept] = {}
        self._slots = asyncio.Semaphore(MAX_DIALS)
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                for node, kept in self._kept.items():
                    self._start(node, kept)
                await asyncio.get_running_loop().create_future()
        finally:
            self._group = None

    def keep(self, node: NodeId, addresses: Sequence[str]) -> None:
        """Dial it now, and again when it is gone. Past MAX_KEPT a new one is left out."""
        kept = self._kept.get(node)
        if kept is None:
            if len(self._kept) >= MAX_KEPT:
                return
            kept = self._kept[node] = _Kept(tuple(addresses), Backoff(random.random))
            self._start(node, kept)
        elif addresses and tuple(addresses) != kept.addresses:
            kept.addresses = tuple(addresses)
            kept.backoff.reset()
        kept.wake.set()

    def forget(self, node: NodeId) -> None:
        kept = self._kept.pop(node, None)
        if kept is not None and kept.task is not None:
            kept.task.cancel()

    def gone(self, node: NodeId, lived_s: float, *, retry: bool) -> None:
        """The link to it ended after `lived_s`; not `retry`: it asked us to stay away."""
        kept = self._kept.get(node)
        if kept is not None:
            kept.backoff.lived(lived_s)
            if not retry:
                kept.stay_away_until_s = monotonic() + STAY_AWAY_S
            kept.gone.set()

    def _start(self, node: NodeId, kept: _Kept) -> None:
        if self._group is not None:
            kept.task = self._group.create_task(
                self._hold(node, kept), name=f"neighbours.keep.{short_id(node)}"
            )

    async def _hold(self, node: NodeId, kept: _Kept) -> None:
        while True:
            kept.wake.clear()
            kept.gone.clear()
            if monotonic() >= kept.stay_away_until_s and await self._reach(node, kept):
                await kept.gone.wait()
            await asyncio.sleep(BACKOFF_MIN_S * random.random())
            wait_s = max(kept.backoff.next_s(), kept.stay_away_until_s - monotonic())
            try:
                async with asyncio.timeout(wait_s):
                    await kept.wake.wait()
            except TimeoutError:
                pass

    async def _reach(self, node: NodeId, kept: _Kept) -> bool:
        try:
            async with self._slots:
                await self._dial(node, kept.addresses)
        except NodeError as error:
            log.debug("neighbours.dial_failed", extra={"node": short_id(node), "why": str(error)})
            if isinstance(error, WrongMesh) or (isinstance(error, Refused) and not error.retry):
                kept.stay_away_until_s = monotonic() + STAY_AWAY_S
            return False
        return True
