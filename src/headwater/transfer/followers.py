"""Tells neighbours what is here of the videos that they follow, as it grows."""

import asyncio
from collections.abc import Iterable

from headwater.errors import RemoteProtocolError
from headwater.store.store import Store
from headwater.transfer.port import Neighbour, Neighbours
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.messages import Have

__all__ = ["MAX_FOLLOWED_PER_NEIGHBOUR", "Followers"]

HAVE_EVERY_S = 0.1
MAX_FOLLOWED_PER_NEIGHBOUR = 256


class Followers:
    """Who follows what. Shape: news is gathered for HAVE_EVERY_S, then told in one message."""

    def __init__(self, store: Store, neighbours: Neighbours) -> None:
        self._store, self._neighbours = store, neighbours
        self._of_video: dict[VideoId, set[NodeId]] = {}
        self._of_node: dict[NodeId, set[VideoId]] = {}
        self._news: dict[VideoId, set[int]] = {}
        self._has_news = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            news, self._news = self._news, {}
            for video, pieces in news.items():
                self._tell(video, pieces)
            await asyncio.sleep(HAVE_EVERY_S)

    def follow(self, neighbour: Neighbour, video: VideoId) -> None:
        """Tell it what is here, now and later. Raises: RemoteProtocolError past the bound."""
        followed = self._of_node.setdefault(neighbour.node, set())
        if video not in followed and len(followed) >= MAX_FOLLOWED_PER_NEIGHBOUR:
            raise RemoteProtocolError(f"it follows more than {MAX_FOLLOWED_PER_NEIGHBOUR} videos")
        followed.add(video)
        self._of_video.setdefault(video, set()).add(neighbour.node)
        stored = self._store.get(video)
        if stored is not None and not stored.problem:
            bits = b"" if stored.is_whole else stored.pieces_have()
            neighbour.send(Have(video, 0, bits, whole=stored.is_whole))

    def unfollow(self, node: NodeId, video: VideoId) -> None:
        self._of_node.get(node, set()).discard(video)
        followers = self._of_video.get(video, set())
        followers.discard(node)
        if not followers:
            self._of_video.pop(video, None)

    def neighbour_down(self, node: NodeId) -> None:
        for video in self._of_node.pop(node, set()):
            self.unfollow(node, video)

    def note(self, video: VideoId, pieces: Iterable[int]) -> None:
        """These pieces can be served from now on."""
        self._news.setdefault(video, set()).update(pieces)
        self._has_news.set()

    def gone(self, video: VideoId) -> None:
        """Nothing of it can be served any more."""
        self._news.pop(video, None)
        self._send(video, Have(video, gone=True))

    def _tell(self, video: VideoId, pieces: set[int]) -> None:
        stored = self._store.get(video)
        if stored is None or not pieces:
            return
        first = min(pieces) // 8 * 8
        bits = bytearray((max(pieces) - first) // 8 + 1)
        for piece in pieces:
            bits[(piece - first) // 8] |= 0x80 >> piece % 8
        self._send(video, Have(video, first, bytes(bits), whole=stored.is_whole))

    def _send(self, video: VideoId, message: Have) -> None:
        for node in self._of_video.get(video, ()):
            neighbour = self._neighbours.get(node)
            if neighbour is not None:
                neighbour.send(message)
