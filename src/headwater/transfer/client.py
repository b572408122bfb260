"""Asks neighbours for what the schedule wants, proves what comes, and hands it to the store."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from headwater.errors import NodeError, NotFound, RemoteProtocolError, Unavailable
from headwater.store.torrent import Torrent
from headwater.transfer.bulk_client import BulkClient
from headwater.transfer.limits import RateLimit
from headwater.transfer.port import Blocks, Neighbour, Neighbours
from headwater.transfer.proof import leaf_hashes, verify_in_layer, verify_range
from headwater.transfer.refusals import error_of
from headwater.transfer.traffic import Traffic
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
    Refused,
)

__all__ = ["BlockClient", "ClientCounters"]

log = logging.getLogger(__name__)

ANSWER_S = 15.0
BULK_RETRY_S = 60.0
INLINE_BYTES = 128 * 1024
"""Up to here writing takes less time than a hop to a thread and back."""
MAX_FALSE_ANSWERS = 3
READER_PRIORITY = 5


@dataclass(slots=True)
class ClientCounters:
    """What the receiving side met; exported at /metrics."""

    blocks_requests: int = 0
    bulk_requests: int = 0
    refusals: int = 0
    false_answers: int = 0
    """Blocks that failed their proof, or replies of the wrong form."""


class BlockClient:
    """One question at a time to one neighbour; the choice of whom and what is the schedule's."""

    def __init__(
        self,
        neighbours: Neighbours,
        limit: RateLimit,
        traffic: Traffic,
        clock: Callable[[], float],
        *,
        use_bulk: bool,
    ) -> None:
        self._neighbours, self._limit, self._traffic = neighbours, limit, traffic
        self._clock, self._use_bulk = clock, use_bulk
        self._bulk: dict[NodeId, BulkClient] = {}
        self._bulk_opening: dict[NodeId, asyncio.Future[BulkClient | None]] = {}
        self._bulk_failed_s: dict[NodeId, float] = {}
        self._false_answers: dict[NodeId, int] = {}
        self.counters = ClientCounters()

    def neighbour_down(self, node: NodeId) -> None:
        bulk = self._bulk.pop(node, None)
        if bulk is not None:
            bulk.close()
        self._bulk_failed_s.pop(node, None)

    def close(self) -> None:
        for node in list(self._bulk):
            self.neighbour_down(node)

    async def fetch(
        self,
        stored: Blocks,
        node: NodeId,
        first: int,
        count: int,
        *,
        on_proven: Callable[[bytes], None] | None = None,
    ) -> None:
        """Returns when these blocks are proven and stored. `on_proven`: of a reader, who has the
        bytes before they are stored.

        Raises: NotFound when it says that it does not have them, ContentChanged when its file is
        another now, Unavailable when no answer came, RemoteProtocolError when the answer was false
        (told to whom it concerns), StorageFull."""
        _, size = stored.shape.span(first, count)
        await self._limit.turn(size, self._clock)
        request = GetBlocks(stored.video, first, count, layer_known=stored.torrent is not None)
        neighbour = self._neighbour(node)
        try:
            bulk = None if on_proven else await self._open_bulk(neighbour, stored)
            if bulk is not None:
                self.counters.bulk_requests += 1
                await bulk.fetch(stored, request)
            else:
                self.counters.blocks_requests += 1
                await self._fetch_on_link(neighbour, stored, request, on_proven)
        except RemoteProtocolError as error:
            self._answered_falsely(node, str(error))
            raise
        self._traffic.received(node, size, self._clock())

    async def _fetch_on_link(
        self,
        neighbour: Neighbour,
        stored: Blocks,
        request: GetBlocks,
        on_proven: Callable[[bytes], None] | None,
    ) -> None:
        priority = READER_PRIORITY if on_proven else 0
        reply, stream = await neighbour.ask(
            request, timeout_s=ANSWER_S, priority=priority, finishes=False
        )
        _, size = stored.shape.span(request.first, request.count)
        try:
            if isinstance(reply, Refused):
                self.counters.refusals += 1
                raise error_of(reply)
            if not isinstance(reply, BlocksReply) or reply.size_bytes != size:
                raise RemoteProtocolError(f"asked for {size} bytes of blocks, got {reply!r:.80}")
            async with asyncio.timeout(ANSWER_S):
                payload = await stream.read_exact(size)
                await stream.finish()  # we have it: others may be sent something
        except TimeoutError:
            raise Unavailable(f"no answer within {ANSWER_S:.0f} s") from None
        finally:
            stream.reset()
        if on_proven is None:
            leaves = await asyncio.to_thread(_prove, stored, request, payload, reply.proof)
        else:
            leaves = _prove(stored, request, payload, reply.proof)
            on_proven(payload)
        if size <= INLINE_BYTES:
            stored.write(request.first, payload, leaves)
        else:
            await asyncio.to_thread(stored.write, request.first, payload, leaves)

    async def info(self, node: NodeId, video: VideoId) -> Torrent:
        """The info-dict and piece layer, checked against the infohash. Raises: as fetch."""
        reply, stream = await self._neighbour(node).ask(GetInfo(video), timeout_s=ANSWER_S)
        try:
            if not isinstance(reply, InfoReply):
                raise NotFound("the neighbour does not have the info-dict")
            async with asyncio.timeout(ANSWER_S):
                info = await stream.read_exact(reply.info_bytes)
                layer = await stream.read_exact(reply.layer_bytes) if reply.layer_bytes else b""
        except TimeoutError:
            raise Unavailable("the info-dict did not come in time") from None
        finally:
            stream.reset()
        try:
            torrent = await asyncio.to_thread(Torrent.parse, info, layer)
        except RemoteProtocolError as error:
            self._answered_falsely(node, str(error))
            raise
        if torrent.video != video:
            self._answered_falsely(node, "an info-dict that is not the one asked for")
            raise RemoteProtocolError("an info-dict that is not the one asked for")
        return torrent

    async def blob(self, node: NodeId, sha256: bytes) -> bytes:
        """A poster or the like, checked against its hash. Raises: as fetch."""
        reply, stream = await self._neighbour(node).ask(GetBlob(sha256), timeout_s=ANSWER_S)
        try:
            if not isinstance(reply, BlobReply):
                raise NotFound("the neighbour does not have this picture")
            async with asyncio.timeout(ANSWER_S):
                payload = await stream.read_exact(reply.size_bytes) if reply.size_bytes else b""
        except TimeoutError:
            raise Unavailable("the picture did not come in time") from None
        finally:
            stream.reset()
        if hashlib.sha256(payload).digest() != sha256:
            self._answered_falsely(node, "a blob that is not the one asked for")
            raise RemoteProtocolError("a blob that is not the one asked for")
        return payload

    def _neighbour(self, node: NodeId) -> Neighbour:
        neighbour = self._neighbours.get(node)
        if neighbour is None:
            raise Unavailable("the neighbour is gone")
        return neighbour

    def _answered_falsely(self, node: NodeId, what: str) -> None:
        self.counters.false_answers += 1
        self._false_answers[node] = self._false_answers.get(node, 0) + 1
        log.warning("transfer.false_answer", extra={"node": node.hex()[:10], "what": what})
        if self._false_answers[node] >= MAX_FALSE_ANSWERS:
            self._neighbours.ban(node, f"false answers: {what}")

    # Bulk connections.

    async def _open_bulk(self, neighbour: Neighbour, stored: Blocks) -> BulkClient | None:
        """The bulk connection to a neighbour, opened when needed; None where there can be none."""
        node = neighbour.node
        if not self._use_bulk or stored.torrent is None:
            return None
        bulk = self._bulk.get(node)
        if bulk is not None and not bulk.is_closed:
            return bulk
        if self._clock() < self._bulk_failed_s.get(node, float("-inf")) + BULK_RETRY_S:
            return None
        opening = self._bulk_opening.get(node)
        if opening is not None:
            return await asyncio.shield(opening)
        opening = self._bulk_opening[node] = asyncio.get_running_loop().create_future()
        opened = None
        try:
            opened = await self._ask_for_bulk(neighbour)
        except NodeError as error:
            log.info("transfer.no_bulk", extra={"node": node.hex()[:10], "reason": str(error)})
        finally:
            del self._bulk_opening[node]
            if opened is not None:
                self._bulk[node] = opened
            else:
                self._bulk_failed_s[node] = self._clock()
            opening.set_result(opened)
        return opened

    async def _ask_for_bulk(self, neighbour: Neighbour) -> BulkClient | None:
        reply, stream = await neighbour.ask(OpenBulk(), timeout_s=ANSWER_S)
        stream.reset()
        if not isinstance(reply, BulkReply):
            return None
        bulk = BulkClient(reply, _nearest_first(reply.addresses, neighbour.path()[0]))
        await bulk.connect()
        return bulk


def _nearest_first(addresses: tuple[str, ...], path: str) -> list[str]:
    """The address at which the link itself reaches the node comes first."""
    host = path.rpartition(" ")[2].rpartition(":")[0]
    return sorted(addresses, key=lambda address: address.rpartition(":")[0] != host)


def _prove(stored: Blocks, request: GetBlocks, payload: bytes, proof: bytes) -> bytes:
    """The leaf hashes. Raises: RemoteProtocolError."""
    leaves = leaf_hashes(payload)
    if request.layer_known and stored.torrent is not None:
        is_proven = verify_in_layer(
            stored.shape, stored.torrent.layer, request.first, leaves, proof
        )
    else:
        is_proven = verify_range(stored.shape, stored.pieces_root, request.first, leaves, proof)
    if not is_proven:
        raise RemoteProtocolError("blocks that do not prove to be the video's")
    return leaves
