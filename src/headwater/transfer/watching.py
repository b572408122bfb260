"""Players: each reads one video from where its blocks lie now."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from headwater.catalog.catalogue import Catalogue
from headwater.errors import ContentChanged, NotFound
from headwater.node.config import StoreConfig
from headwater.store.shape import VideoShape
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.transfer.finder import Finder
from headwater.transfer.passing import PassingVideo
from headwater.transfer.port import Blocks
from headwater.transfer.reader import Reader, Reading
from headwater.transfer.swarm import Swarm
from headwater.wire.ids import VideoId
from headwater.wire.items import VideoEntry

__all__ = ["Watching"]

PAUSE_S = 600.0
"""For this long after somebody read it, a video counts as being watched: players pause."""


class Watching:
    """What players read lies in the store or, as the owner wants it, passes through memory."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        finder: Finder,
        config: StoreConfig,
        enter: Callable[[Blocks], Swarm],
        clock: Callable[[], float],
    ) -> None:
        self._store, self._catalogue, self._finder = store, catalogue, finder
        self._config, self.enter, self._clock = config, enter, clock
        self._passing: dict[VideoId, PassingVideo] = {}
        self._sessions: dict[VideoId, dict[str, Reading]] = {}
        self._readings: Counter[VideoId] = Counter()
        self._read_s: dict[VideoId, float] = {}
        """When somebody read it last."""

    def reader(self, video: VideoId) -> Reader:
        """Raises: NotFound when no node ever told us of it, or nobody shares it any more."""
        entry = self._entry(video)
        return Reader(
            _Place(self, video),
            entry.media_type if entry else "application/octet-stream",
            entry.duration_ms if entry else 0,
            self._sessions.setdefault(video, {}),
        )

    def open(self, video: VideoId) -> StoredVideo:
        """What is stored of it, begun now if nothing was. Raises: NotFound."""
        stored = self._store.get(video)
        if stored is None:
            entry = self._listed(video)
            shape = VideoShape(entry.size_bytes, entry.piece_bytes)
            stored = self._store.begin(video, shape, entry.pieces_root)
        return stored

    def blocks(self, video: VideoId) -> Blocks:
        """Where a player's blocks lie now. Raises: NotFound, ContentChanged."""
        stored = self._store.get(video)
        if stored is not None and not stored.problem:
            return stored
        if stored is not None and not self._finder.elsewhere(video):
            raise ContentChanged(stored.problem)
        if stored is not None or video in self._passing or self._config.watching == "pass":
            return self._pass(video)
        return self.open(video)

    def is_taken_back(self, video: VideoId) -> bool:
        return self._catalogue.is_taken_back(video)

    @contextmanager
    def in_use(self, video: VideoId) -> Iterator[None]:
        self._readings[video] += 1
        try:
            yield
        finally:
            self._readings[video] -= 1
            self._read_s[video] = self._clock()

    def is_read(self, video: VideoId) -> bool:
        return self._readings[video] > 0

    def was_watched(self, video: VideoId) -> bool:
        """Somebody reads it, or did so a moment ago and may have paused."""
        lately_s = self._clock() - PAUSE_S
        return self.is_read(video) or self._read_s.get(video, lately_s) > lately_s

    def size_bytes(self, video: VideoId) -> int:
        """Raises: NotFound."""
        stored = self._store.get(video)
        return stored.shape.size_bytes if stored else self._listed(video).size_bytes

    def stop(self, video: VideoId) -> None:
        """Whoever watched it is believed to have gone."""
        self._read_s.pop(video, None)

    def ended(self, blocks: Blocks) -> None:
        """Nobody reads these any more."""
        if self._passing.get(blocks.video) is blocks:
            del self._passing[blocks.video]

    def _pass(self, video: VideoId) -> PassingVideo:
        passing = self._passing.get(video)
        if passing is None:
            entry = self._listed(video)
            shape = VideoShape(entry.size_bytes, entry.piece_bytes)
            window_bytes = self._config.pass_bytes
            passing = PassingVideo(video, shape, entry.pieces_root, window_bytes=window_bytes)
            self._passing[video] = passing
        return passing

    def _entry(self, video: VideoId) -> VideoEntry | None:
        known = self._catalogue.entry(video)
        return known.entry if known else None

    def _listed(self, video: VideoId) -> VideoEntry:
        entry = self._entry(video)
        if entry is None:
            if self.is_taken_back(video):
                raise NotFound("it is no longer shared")
            raise NotFound(f"no node has told of a video {video.hex()[:10]}…")
        return entry


class _Place:
    """One video, as its readers see it."""

    def __init__(self, watching: Watching, video: VideoId) -> None:
        self._watching, self._video = watching, video

    def blocks(self) -> Blocks:
        return self._watching.blocks(self._video)

    def swarm(self, blocks: Blocks) -> Swarm:
        return self._watching.enter(blocks)

    def is_taken_back(self) -> bool:
        return self._watching.is_taken_back(self._video)

    def in_use(self) -> AbstractContextManager[None]:
        return self._watching.in_use(self._video)
