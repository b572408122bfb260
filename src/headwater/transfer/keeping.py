"""What is kept of other people's videos: what the owner asked for, and what was only watched."""

import asyncio
import logging
from collections.abc import Callable

from headwater.catalog.catalogue import Catalogue
from headwater.errors import StorageFull
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.wire.ids import VideoId

__all__ = ["Keeping"]

log = logging.getLogger(__name__)


SWEEP_S = 60.0


class Keeping:
    """`is_in_use` tells what is read or copied now, `was_watched` also what players may have
    paused; `gone` hears what was dropped."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        is_in_use: Callable[[VideoId], bool],
        was_watched: Callable[[VideoId], bool],
        gone: Callable[[VideoId], None],
    ) -> None:
        self._store, self._catalogue = store, catalogue
        self._is_in_use, self._was_watched, self._gone = is_in_use, was_watched, gone
        self.asked_for: set[VideoId] = set()
        """What the owner asked for, here or on its way: never dropped by itself."""

    async def run(self) -> None:
        """Drop what was taken back once nobody watches it any more; until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for video in self._store.videos():
                self.drop_taken_back(video)

    def make_room(self) -> bool:
        """Drop what was only watched, longest ago of all; False where there is nothing."""
        watched = [
            stored
            for video in self._store.videos()
            if (stored := self._watched_only(video)) is not None
        ]
        if not watched:
            return False
        oldest = min(watched, key=_watched_s)
        log.info("transfers.dropped_watched", extra={"video": oldest.video.hex()[:10]})
        self._drop(oldest.video)
        return True

    def drop_taken_back(self, video: VideoId) -> None:
        """Unless the owner asked to keep it, or somebody watches it."""
        if self._watched_only(video) is None or self._was_watched(video):
            return
        if self._catalogue.is_taken_back(video):
            self._drop(video)

    def _watched_only(self, video: VideoId) -> StoredVideo | None:
        stored = self._store.get(video)
        if stored is None or not stored.is_fetched or video in self.asked_for:
            return None
        return None if self._is_in_use(video) else stored

    def _drop(self, video: VideoId) -> None:
        try:
            self._store.remove(video)
        except StorageFull as error:
            log.warning("transfers.not_dropped", extra={"reason": str(error)})
        self._gone(video)


def _watched_s(stored: StoredVideo) -> float:
    """When it was last; 0 where that cannot be told any more."""
    try:
        return stored.path.stat().st_mtime
    except OSError:
        return 0.0
