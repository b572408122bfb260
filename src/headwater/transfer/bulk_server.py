"""The sending end of bulk transfers: TLS over TCP (link/tls.py), a thread a connection."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from headwater.errors import NodeError, RemoteProtocolError
from headwater.link.tls import TOKEN_BYTES, ServerIdentity, new_token
from headwater.store.store import Store
from headwater.transfer.limits import QUANTUM_BYTES, RateLimit
from headwater.transfer.refusals import refusal_of
from headwater.transfer.traffic import Traffic
from headwater.wire import frames
from headwater.wire.ids import BLOCK_BYTES, NodeId, VideoId
from headwater.wire.messages import BlocksReply, GetBlocks, request_decoder

__all__ = ["BulkServer", "read_exactly"]

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 128
MAX_TOKENS = 256
HANDSHAKE_S = 5.0
IDLE_S = 60.0
_SEND_BUFFER_BYTES = 4 * 1024 * 1024
_STEP_BLOCKS = 64
"""Read and sent at a time, so that a connection takes 1 MiB of memory whatever it is asked for."""


def read_exactly(connection: ssl.SSLSocket, into: memoryview) -> None:
    """Fill `into`. Raises: ConnectionError when the other side ends first."""
    at = 0
    while at < len(into):
        got = connection.recv_into(into[at:])
        if not got:
            raise ConnectionError("the other side ended the connection")
        at += got


class BulkServer:
    """Serves blocks to neighbours that hold a token. Shape: at most MAX_CONNECTIONS threads."""

    def __init__(
        self,
        store: Store,
        limit: RateLimit,
        traffic: Traffic,
        host: str,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._limit, self._traffic, self._clock = store, limit, traffic, clock
        self._identity = ServerIdentity()
        self.certificate = self._identity.certificate
        self._listener = socket.create_server((host, 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._tokens: dict[bytes, NodeId] = {}
        self._connections: dict[socket.socket, NodeId | None] = {}
        self._is_closed = False

    def start(self) -> None:
        threading.Thread(target=self._accept, name="bulk.accept", daemon=True).start()

    def issue(self, node: NodeId) -> bytes:
        """A token with which `node` may connect; valid until revoke()."""
        token = new_token()
        with self._lock:
            if len(self._tokens) >= MAX_TOKENS:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[token] = node
        return token

    def revoke(self, node: NodeId) -> None:
        """The link to `node` ended: so do its bulk connections."""
        with self._lock:
            self._tokens = {t: n for t, n in self._tokens.items() if n != node}
            ended = [sock for sock, owner in self._connections.items() if owner == node]
        for sock in ended:
            _shut(sock)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            open_now = list(self._connections)
        _shut(self._listener)
        self._listener.close()
        for sock in open_now:
            _shut(sock)

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                if self._is_closed:
                    return
                time.sleep(0.1)  # out of descriptors: let others finish
                continue
            with self._lock:
                if len(self._connections) >= MAX_CONNECTIONS:
                    sock.close()
                    continue
                self._connections[sock] = None
            threading.Thread(
                target=self._serve, args=(sock,), name="bulk.serve", daemon=True
            ).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(HANDSHAKE_S)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._identity.context.wrap_socket(sock, server_side=True) as connection:
                self._serve_authenticated(sock, connection)
        except (OSError, NodeError) as error:
            log.debug("bulk.ended", extra={"reason": str(error)})
        finally:
            with self._lock:
                self._connections.pop(sock, None)
            sock.close()

    def _serve_authenticated(self, raw: socket.socket, connection: ssl.SSLSocket) -> None:
        token = bytearray(TOKEN_BYTES)
        read_exactly(connection, memoryview(token))
        with self._lock:
            node = self._tokens.get(bytes(token))
            if node is None or self._is_closed:
                return
            self._connections.pop(raw, None)  # wrap_socket took the descriptor over
            self._connections[connection] = node
        connection.settimeout(IDLE_S)
        buffer = memoryview(bytearray(_STEP_BLOCKS * BLOCK_BYTES))
        try:
            while True:
                self._answer(connection, node, buffer)
        finally:
            with self._lock:
                self._connections.pop(connection, None)

    def _answer(self, connection: ssl.SSLSocket, node: NodeId, buffer: memoryview) -> None:
        """One request and its reply. Raises: NodeError when the blocks go while they are sent."""
        header = bytearray(frames.HEADER_BYTES)
        read_exactly(connection, memoryview(header))
        body = bytearray(frames.frame_length(bytes(header)))
        read_exactly(connection, memoryview(body))
        request = frames.decode(bytes(body), request_decoder)
        if not isinstance(request, GetBlocks):
            raise RemoteProtocolError("only blocks are served on a bulk connection")
        stored = self._store.get(VideoId(request.video))
        try:
            if stored is None:
                raise RemoteProtocolError("unknown video")
            _, size = stored.shape.span(request.first, request.count)
            if size < 1 or request.first + request.count > stored.shape.blocks:
                raise RemoteProtocolError("blocks past the end")
            taken = stored.read_into(request.first, min(request.count, _STEP_BLOCKS), buffer)
            proof = stored.proof(request.first, request.count, layer_known=request.layer_known)
        except NodeError as error:
            connection.sendall(frames.encode(refusal_of(error)))
            return
        connection.sendall(frames.encode(BlocksReply(size, proof)))
        self._send(connection, node, buffer[:taken])
        end = request.first + request.count
        for first in range(request.first + _STEP_BLOCKS, end, _STEP_BLOCKS):
            taken = stored.read_into(first, min(end - first, _STEP_BLOCKS), buffer)
            self._send(connection, node, buffer[:taken])

    def _send(self, connection: ssl.SSLSocket, node: NodeId, payload: memoryview) -> None:
        step = QUANTUM_BYTES if self._limit.bytes_per_s else len(payload)
        for at in range(0, len(payload), step):
            part = payload[at : at + step]
            self._limit.block(len(part), self._clock)
            connection.sendall(part)
            self._traffic.sent(node, len(part), self._clock())


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that is blocked on it
