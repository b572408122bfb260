"""The lives that are made on this node: from going on air to the recording."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from headwater.errors import LocalUsageError, NodeError
from headwater.live.about import About
from headwater.live.announcing import Announcer
from headwater.live.archive import Archive
from headwater.live.broadcast import Broadcast, Ingest
from headwater.live.participation import Participation
from headwater.live.signing import Signer
from headwater.media.live_options import LiveOptions
from headwater.wire.ids import LiveId, NodeId, short_id
from headwater.wire.items import LiveEntry
from headwater.wire.live import live_id

__all__ = ["Begin", "Run", "Studio"]

log = logging.getLogger(__name__)

POSTER_US = 3_000_000
"""How far into the live its picture is taken: the first moments are often black."""

Begin = Callable[[About, int | None], Participation]
"""Take part as its source, with a spool of so many microseconds (None: of everything)."""
Run = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None] | None"]
"""As a task of that name; None once the node is stopping: then nothing new begins."""


class Studio:
    """Belongs to the loop's thread."""

    def __init__(
        self,
        channel: NodeId,
        node: NodeId,
        announcer: Announcer,
        archive: Archive,
        begin: Begin,
        run: Run,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._channel, self._node, self._announcer = channel, node, announcer
        self._archive, self._begin, self._run = archive, begin, run
        self._clock, self._now_ms = clock, now_ms

    def start(
        self,
        options: LiveOptions,
        title: str,
        ingest: Ingest,
        *,
        dvr_s: float,
        stripes: int,
        keep_recording: bool,
    ) -> Participation:
        """Go on air. Raises: LocalUsageError, Unavailable."""
        stream_key = Ed25519PrivateKey.generate()
        public = stream_key.public_key().public_bytes_raw()
        try:
            entry = LiveEntry(
                version=1,
                live=live_id(self._channel, public),
                stream_key=public,
                title=title,
                node=self._node,
                state="waiting",
                stripes=stripes,
                part_ms=options.part_ms,
                created_ms=self._now_ms(),
                dvr_s=round(dvr_s),
            )
            self._announcer.check(entry)
        except ValueError as error:
            raise LocalUsageError(f"such a live cannot be: {error}") from error
        about = About(entry, self._channel, is_mine=keep_recording, is_kept=False)
        own = self._begin(about, None if keep_recording else round(dvr_s * 1e6))
        signer = Signer(stream_key, LiveId(entry.live), stripes)
        tell = partial(self._changed, own, keep_recording)
        own.broadcast = Broadcast(own.session, signer, options, tell)
        own.making = self._run(_make(own.broadcast, ingest), f"live.make.{short_id(own.live)}")
        if own.making is not None:
            own.making.add_done_callback(lambda _: self._ended(own, keep_recording))
        tell()
        return own

    async def stop(self, own: Participation) -> None:
        """Its recording is made then, in the background."""
        if own.making is not None:
            own.making.cancel()
            await asyncio.wait([own.making])

    def tick(self, own: Participation, now: float) -> None:
        """See to it that others know of it, and what it looks like."""
        if own.making is None:
            return
        if self._announcer.is_due(own, now):
            self._announcer.tell(own, now)
        if not own.has_poster and own.session.edge_us >= POSTER_US:
            own.has_poster = True
            self._run(self._picture(own), f"live.poster.{short_id(own.live)}")

    def _changed(self, own: Participation, keep_recording: bool) -> None:
        self._announcer.tell(own, self._clock())
        about = About(own.entry, self._channel, is_mine=keep_recording, is_kept=False)
        self._archive.note(own.spool, about)

    def _ended(self, own: Participation, keep_recording: bool) -> None:
        """The source has ended, in whatever way."""
        own.making = None
        own.session.finish()
        if own.broadcast is not None and own.broadcast.state != "failed":
            own.broadcast.state = "ended"
        self._changed(own, keep_recording)
        self._run(self._settle(own, keep_recording), f"live.settle.{short_id(own.live)}")

    async def _settle(self, own: Participation, keep_recording: bool) -> None:
        if keep_recording:
            await own.session.shelf.flush()
            while not await self._is_finished(own):  # noqa: ASYNC110 - a disk tells nobody of room
                await asyncio.sleep(own.settle_later(self._clock()))
        own.is_settled = True

    async def _is_finished(self, own: Participation) -> bool:
        try:
            video = await self._archive.finish(own.entry, own.spool)
        except NodeError as error:
            log.warning("live.not_finished", extra={"reason": str(error)})
            return False
        if video is not None:
            self._announcer.tell(own, self._clock(), recording=video)
        return True

    async def _picture(self, own: Participation) -> None:
        try:
            poster = await self._archive.poster(own.spool)
        except NodeError as error:
            log.info("live.no_poster", extra={"reason": str(error)})
            return
        if poster and own.making is not None:
            own.session.entry = replace(own.entry, poster=poster)
            self._announcer.tell(own, self._clock())


async def _make(broadcast: Broadcast, ingest: Ingest) -> None:
    try:
        await broadcast.run(ingest)
    except Exception:  # a fault of ours costs this live, not the node
        log.exception("live.ingest_failed", extra={"live": short_id(broadcast.session.live)})
        broadcast.message = "an internal fault on this side; see the log"
