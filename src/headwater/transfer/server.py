"""Answers a neighbour's questions on a link: info-dicts, blocks, blobs, and where bulk may go."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Hashable, Sequence

from headwater.errors import NodeError, NotFound
from headwater.link.port import LinkClosed, Stream
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.transfer.bulk_server import BulkServer
from headwater.transfer.limits import QUANTUM_BYTES, RateLimit
from headwater.transfer.port import Neighbour
from headwater.transfer.refusals import refusal_of
from headwater.transfer.traffic import Traffic
from headwater.transfer.turns import Rank, Turns
from headwater.wire import frames
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.messages import (
    BlobReply,
    BlocksReply,
    BulkReply,
    GetBlob,
    GetBlocks,
    GetInfo,
    InfoReply,
    OpenBulk,
    StoredRequest,
)

__all__ = ["BlockServer"]


SMALL_BLOCKS = 16
MAX_LARGE_ANSWERS = 4
"""Answers of more than SMALL_BLOCKS that are in memory at once for one neighbour: an asker that
does not read costs us 64 small ones and these, about 32 MiB."""
MAX_PRIORITY = 2**30
"""Of streams, either way: they are 32 bits wide."""


class BlockServer:
    """The giving side of transfers over links. Bytes leave only as the store vouches for them."""

    def __init__(
        self,
        store: Store,
        bulk: BulkServer | None,
        bulk_hosts: Callable[[], tuple[str, ...]],
        limit: RateLimit,
        traffic: Traffic,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._bulk, self._bulk_hosts = store, bulk, bulk_hosts
        self._limit, self._traffic, self._clock = limit, traffic, clock
        self._turns = Turns(limit, clock)
        self._answers, self._asked = 0, itertools.count()
        self._large: dict[NodeId, asyncio.Semaphore] = {}

    def neighbour_down(self, node: NodeId) -> None:
        self._large.pop(node, None)
        if self._bulk is not None:
            self._bulk.revoke(node)

    async def answer(self, neighbour: Neighbour, request: StoredRequest, stream: Stream) -> None:
        """Write the reply and finish the stream. Raises: LinkClosed when the asker went away."""
        if isinstance(request, GetBlocks) and request.count <= SMALL_BLOCKS:
            await self._answer(neighbour, request, stream)
        else:
            slots = self._large.setdefault(neighbour.node, asyncio.Semaphore(MAX_LARGE_ANSWERS))
            async with slots:
                await self._answer(neighbour, request, stream)

    async def _answer(self, neighbour: Neighbour, request: StoredRequest, stream: Stream) -> None:
        try:
            head, payload = await self._reply(neighbour, request)
        except NodeError as error:
            head, payload = frames.encode(refusal_of(error)), b""
        if not payload:
            await stream.write(head)
        elif not self._limit.bytes_per_s:
            if isinstance(request, GetBlocks):
                await self._write_in_turn(neighbour, request, head, payload, stream)
                return
            await stream.write(head + payload)
            self._traffic.sent(neighbour.node, len(payload), self._clock())
        else:
            await stream.write(head)
            await _while_wanted(stream, self._write_slowly(neighbour, request, payload, stream))
        await stream.finish()

    async def _write_in_turn(
        self, neighbour: Neighbour, request: GetBlocks, head: bytes, payload: bytes, stream: Stream
    ) -> None:
        """All of it, and until the asker has it, who finishes then."""
        asker, size = neighbour.node, len(payload)
        pieces = self._pieces(neighbour, request)
        await _while_wanted(stream, self._turns.turn(asker, pieces, size, self._rank(request)))
        with self._turns.sending(asker, pieces, size):
            self._answers = (self._answers + 1) % MAX_PRIORITY
            stream.set_priority(-self._answers)  # in order: at once the first would be late
            await stream.write(head + payload)
            self._traffic.sent(asker, size, self._clock())
            await stream.finish()
            await stream.read(1)

    async def _write_slowly(
        self, neighbour: Neighbour, request: StoredRequest, payload: bytes, stream: Stream
    ) -> None:
        asker, pieces = neighbour.node, self._pieces(neighbour, request)
        rank = self._rank(request)
        for at in range(0, len(payload), QUANTUM_BYTES):
            part = payload[at : at + QUANTUM_BYTES]
            await self._turns.turn(asker, pieces, len(part), rank, has_begun=at > 0)
            try:
                await stream.write(part)
            except (LinkClosed, asyncio.CancelledError):
                self._turns.withdrawn(asker, pieces)
                raise
            self._traffic.sent(asker, len(part), self._clock())

    def _rank(self, request: StoredRequest) -> Rank:
        """Info-dicts and posters, which are small and nobody plays without for long, then small
        answers, then large ones; each as they were asked for."""
        if not isinstance(request, GetBlocks):
            return 0, next(self._asked)
        return (1 if request.count <= SMALL_BLOCKS else 2), next(self._asked)

    def _pieces(self, neighbour: Neighbour, request: StoredRequest) -> Sequence[Hashable]:
        """What others can have from whoever gets the answer; or the asker itself, where that is
        nobody else's matter."""
        stored = self._store.get(VideoId(request.video)) if isinstance(request, GetBlocks) else None
        if stored is None or not isinstance(request, GetBlocks):
            return (neighbour.node,)
        last = request.first + request.count - 1
        first_piece, last_piece = map(stored.shape.piece_of, (request.first, last))
        return [(request.video, piece) for piece in range(first_piece, last_piece + 1)]

    async def _reply(self, neighbour: Neighbour, request: StoredRequest) -> tuple[bytes, bytes]:
        match request:
            case GetBlocks():
                return await asyncio.to_thread(self._blocks, request)
            case GetInfo():
                return self._info(VideoId(request.video))
            case GetBlob():
                blob = await asyncio.to_thread(self._store.get_blob, request.blob)
                if blob is None:
                    raise NotFound("no such blob here")
                return frames.encode(BlobReply(len(blob))), blob
            case OpenBulk():
                return self._open_bulk(neighbour), b""

    def _stored(self, video: VideoId) -> StoredVideo:
        stored = self._store.get(video)
        if stored is None:
            raise NotFound("no such video here")
        return stored

    def _blocks(self, request: GetBlocks) -> tuple[bytes, bytes]:
        stored = self._stored(VideoId(request.video))
        if request.first + request.count > stored.shape.blocks:
            raise NotFound("blocks past the end")
        payload = stored.read(request.first, request.count)  # first: it knows of a change
        proof = stored.proof(request.first, request.count, layer_known=request.layer_known)
        return frames.encode(BlocksReply(len(payload), proof)), payload

    def _info(self, video: VideoId) -> tuple[bytes, bytes]:
        torrent = self._stored(video).torrent
        if torrent is None:
            raise NotFound("the info-dict is not here yet")
        reply = InfoReply(len(torrent.info), len(torrent.layer))
        return frames.encode(reply), torrent.info + torrent.layer

    def _open_bulk(self, neighbour: Neighbour) -> bytes:
        if self._bulk is None:
            raise NotFound("no bulk here")
        addresses = tuple(f"{host}:{self._bulk.port}" for host in self._bulk_hosts())
        token = self._bulk.issue(neighbour.node)
        return frames.encode(BulkReply(addresses, self._bulk.certificate, token))


async def _while_wanted(stream: Stream, answering: Coroutine[None, None, None]) -> None:
    """Raises: LinkClosed as soon as the asker withdraws the question, for it comes from elsewhere,
    or went away. Who has finished with the question cannot say so."""
    closed: BaseExceptionGroup[LinkClosed] | None = None
    try:
        async with asyncio.TaskGroup() as group:
            staying = group.create_task(stream.read(1), name="transfer.withdrawn")
            await answering
            staying.cancel()
    except* LinkClosed as errors:
        closed = errors
    if closed is not None:
        raise LinkClosed("the asker went away") from closed
