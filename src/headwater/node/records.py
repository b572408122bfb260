"""What this node says of itself: its record, renewed by heartbeats, and what it holds."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.catalog.catalogue import Catalogue
from headwater.errors import StorageFull
from headwater.wire.ids import VideoId
from headwater.wire.items import Holding, HoldingState, Item, NodeRecord, Signed, sign_item

__all__ = ["Records"]

log = logging.getLogger(__name__)

HEARTBEAT_S = 25.0
ADDRESS_CHECK_S = 2.0


class Records:
    """Signs the node's own items. `describe` gives the record's fields but for the version."""

    def __init__(
        self,
        key: Ed25519PrivateKey,
        catalogue: Catalogue,
        describe: Callable[[int], NodeRecord],
        now_ms: Callable[[], int],
        publish: Callable[[Sequence[Item]], None],
    ) -> None:
        self._key, self._catalogue, self._describe = key, catalogue, describe
        self._now_ms, self._publish = now_ms, publish
        self._own = sign_item(key, describe(now_ms()))
        self._is_due = asyncio.Event()
        self._unsaid: dict[VideoId, HoldingState] = {}
        """What a full disk kept from the catalogue, to be said when there is room."""

    def own(self) -> Signed:
        """The record as neighbours get it first."""
        return self._own.signed

    async def run(self) -> None:
        """Renew the record every HEARTBEAT_S, and at once when an address changed."""
        since_s = HEARTBEAT_S
        while True:
            if since_s >= HEARTBEAT_S or self._is_outdated():
                version = max(self._now_ms(), self._own.version + 1)
                self._own = sign_item(self._key, self._describe(version))
                self._publish([self._own])
                since_s = 0.0
            for video, state in list(self._unsaid.items()):
                self.announce(video, state)
            self._is_due.clear()
            try:
                async with asyncio.timeout(ADDRESS_CHECK_S):
                    await self._is_due.wait()
            except TimeoutError:
                since_s += ADDRESS_CHECK_S

    def renew(self) -> None:
        """Something that the record says has changed: tell it now."""
        self._is_due.set()

    def announce(self, video: VideoId, state: HoldingState) -> None:
        """Tell the mesh that this node has all of it (`whole`), `partial`, or `gone`: none."""
        was_said = self._unsaid.pop(video, None) is None
        probe = sign_item(self._key, Holding(1, video, "gone"))
        known = self._catalogue.item(probe.key)
        if known is not None and isinstance(known.body, Holding) and known.body.state == state:
            return
        if known is None and state == "gone":
            return
        holding = Holding(self._catalogue.next_version(probe.key), video, state)
        try:
            self._publish([sign_item(self._key, holding)])
        except StorageFull as error:
            if was_said:
                log.warning("records.not_announced", extra={"reason": str(error)})
            self._unsaid[video] = state  # not the item: by then it may hold more, or nothing

    def _is_outdated(self) -> bool:
        return self._describe(self._own.version) != self._own.body
