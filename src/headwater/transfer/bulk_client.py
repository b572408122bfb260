"""The receiving end of bulk transfers: each connection a thread that reads, proves and writes."""

import asyncio
import logging
import mmap
import queue
import socket
import ssl
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from headwater.errors import NodeError, RemoteProtocolError, Unavailable
from headwater.link.tls import check_server, client_context
from headwater.transfer.bulk_server import read_exactly
from headwater.transfer.port import Blocks
from headwater.transfer.proof import verify_in_layer
from headwater.transfer.refusals import error_of
from headwater.wire import frames
from headwater.wire.ids import BLOCK_BYTES
from headwater.wire.messages import (
    MAX_BLOCKS_PER_REQUEST,
    BlocksReply,
    BulkReply,
    GetBlocks,
    Refused,
    reply_decoder,
)

__all__ = ["BulkClient"]

log = logging.getLogger(__name__)

CONNECTIONS = 3
"""While one writes to the disk, and one waits for the network, one has work for the processor."""
PIPELINE = 3
CONNECT_S = 2.0
ANSWER_S = 20.0
IDLE_S = 30.0
_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024


@dataclass(slots=True, eq=False)
class _Ask:
    stored: Blocks
    request: GetBlocks
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]" = field(repr=False)

    def succeed(self) -> None:
        self.loop.call_soon_threadsafe(self._set, None)

    def fail(self, error: Exception) -> None:
        self.loop.call_soon_threadsafe(self._set, error)

    def _set(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


class BulkClient:
    """Bulk from one neighbour. Shape: CONNECTIONS threads, PIPELINE requests under way on each."""

    def __init__(self, offer: BulkReply, addresses: Sequence[str]) -> None:
        self._offer, self._addresses = offer, addresses
        self._context = client_context(offer.certificate)
        self._asks: queue.SimpleQueue[_Ask | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open: list[ssl.SSLSocket] = []
        self._spare: list[ssl.SSLSocket] = []
        self._threads = 0
        self.is_closed = False

    async def connect(self) -> None:
        """Make the first connection now. Raises: Unavailable when no address answers."""
        try:
            first = await asyncio.to_thread(self._connect)
        except OSError as error:
            raise Unavailable(f"no bulk connection: {error}") from error
        self._spare.append(first)

    async def fetch(self, stored: Blocks, request: GetBlocks) -> None:
        """Returns when these blocks are proven and written to `stored`.

        Raises: Unavailable when the connection fails, NotFound when the other has them no more,
        ContentChanged when its file is another now, RemoteProtocolError when what came was wrong,
        StorageFull from the store."""
        if self.is_closed:
            raise Unavailable("the bulk connection was closed")
        loop = asyncio.get_running_loop()
        ask = _Ask(stored, request, loop, loop.create_future())
        with self._lock:  # a thread leaves only under this lock, and only while there is no ask
            self._asks.put(ask)
            if self._threads < CONNECTIONS:
                self._threads += 1
                threading.Thread(target=self._run, name="bulk.fetch", daemon=True).start()
        await ask.done

    def close(self) -> None:
        """End at once; what is under way fails as Unavailable."""
        with self._lock:
            self.is_closed = True
            open_now = self._open + self._spare
            self._spare = []
        for _ in range(CONNECTIONS):
            self._asks.put(None)
        for connection in open_now:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        under_way: deque[_Ask] = deque()
        try:
            with self._lock:
                spare = self._spare.pop() if self._spare else None
            connection = spare or self._connect()
        except (OSError, NodeError) as error:
            with self._lock:
                if self._open:  # one connection more than the other side wants: the first goes on
                    self._threads -= 1
                    return
            self._fail(under_way, _told(error))
            return
        try:
            with connection:
                with self._lock:
                    self._open.append(connection)
                try:
                    self._converse(connection, under_way)
                finally:
                    with self._lock:
                        self._open.remove(connection)
        except (OSError, NodeError) as error:
            self._fail(under_way, _told(error))

    def _fail(self, under_way: deque[_Ask], error: NodeError) -> None:
        """This connection is lost, and with it what nobody else would take up."""
        with self._lock:
            self.is_closed = True
            self._threads -= 1
        while not self._asks.empty():
            ask = self._asks.get()
            if ask is not None:
                under_way.append(ask)
        for ask in under_way:
            ask.fail(error)

    def _connect(self) -> ssl.SSLSocket:
        trouble: OSError | None = None
        for address in self._addresses:
            host, _, port = address.rpartition(":")
            try:
                sock = socket.create_connection((host.strip("[]"), int(port)), CONNECT_S)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = self._context.wrap_socket(sock)
            except (OSError, ValueError) as error:
                trouble = OSError(f"{address}: {error}")
                continue
            try:
                shown = connection.getpeercert(binary_form=True)
                check_server(shown, self._offer.certificate, address)
            except RemoteProtocolError:
                connection.close()
                raise
            connection.settimeout(ANSWER_S)
            connection.sendall(self._offer.token)
            return connection
        raise trouble or OSError("no address to connect to")

    def _converse(self, connection: ssl.SSLSocket, under_way: deque[_Ask]) -> None:
        """Until idle for IDLE_S. Raises: OSError and NodeError when the connection is lost."""
        pages = mmap.mmap(-1, MAX_BLOCKS_PER_REQUEST * BLOCK_BYTES)  # for the store's write_direct
        buffer = memoryview(pages)
        while True:
            self._fill(connection, under_way)
            if self.is_closed:
                raise OSError("the link ended")
            if not under_way:
                with self._lock:
                    if self._asks.empty():
                        self._threads -= 1
                        return
                continue
            try:
                self._take_answer(connection, under_way[0], buffer)
            except RemoteProtocolError as error:
                under_way.popleft().fail(error)
                raise OSError("it answered falsely") from error
            under_way.popleft()

    def _fill(self, connection: ssl.SSLSocket, under_way: deque[_Ask]) -> None:
        """Have up to PIPELINE requests under way; waits only when there is none."""
        while len(under_way) < PIPELINE:
            try:
                ask = self._asks.get(block=not under_way, timeout=IDLE_S)
            except queue.Empty:
                return
            if ask is None:
                return
            under_way.append(ask)
            connection.sendall(frames.encode(ask.request))

    def _take_answer(self, connection: ssl.SSLSocket, ask: _Ask, buffer: memoryview) -> None:
        reply = self._read_reply(connection, ask)
        if reply is not None:
            size, proof = reply
            self._receive(connection, ask, buffer[:size], proof)

    def _read_reply(self, connection: ssl.SSLSocket, ask: _Ask) -> tuple[int, bytes] | None:
        """Size and proof of the blocks that follow; None when they were refused."""
        header = bytearray(frames.HEADER_BYTES)
        read_exactly(connection, memoryview(header))
        body = bytearray(frames.frame_length(bytes(header)))
        read_exactly(connection, memoryview(body))
        reply = frames.decode(bytes(body), reply_decoder)
        if isinstance(reply, Refused):
            ask.fail(error_of(reply))
            return None
        _, expected = ask.stored.shape.span(ask.request.first, ask.request.count)
        if not isinstance(reply, BlocksReply) or reply.size_bytes != expected:
            raise RemoteProtocolError(f"asked for {expected} bytes of blocks, got {reply!r:.80}")
        return expected, reply.proof

    def _receive(
        self, connection: ssl.SSLSocket, ask: _Ask, into: memoryview, proof: bytes
    ) -> None:
        leaves = []
        for at in range(0, len(into), BLOCK_BYTES):
            block = into[at : at + BLOCK_BYTES]
            got = connection.recv_into(block)
            if got < len(block):  # a block is one TLS record, as a rule
                read_exactly(connection, block[got:])
            leaves.append(sha256(block).digest())  # still in the cache
        proven = b"".join(leaves)
        stored, request = ask.stored, ask.request
        if stored.torrent is None or not verify_in_layer(
            stored.shape, stored.torrent.layer, request.first, proven, proof
        ):
            raise RemoteProtocolError("blocks that do not prove to be the video's")
        try:
            stored.write(request.first, into, proven)
        except NodeError as error:
            ask.fail(error)
        else:
            ask.succeed()


def _told(error: Exception) -> NodeError:
    return error if isinstance(error, NodeError) else Unavailable(f"bulk: {error}")
