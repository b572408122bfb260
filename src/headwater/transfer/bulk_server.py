"""The sending end of bulk transfers: TLS 1.3 over TCP, a thread a connection.

A connection is as authentic as the link over which its certificate and token were handed out: the
client accepts exactly this certificate, and the token tells the server which neighbour it is.
"""

import logging
import secrets
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headwater.errors import NodeError, RemoteProtocolError
from headwater.store.store import Store
from headwater.transfer.limits import QUANTUM_BYTES, RateLimit
from headwater.transfer.refusals import refusal_of
from headwater.transfer.traffic import Traffic
from headwater.wire import frames
from headwater.wire.ids import BLOCK_BYTES, HASH_BYTES, NodeId, VideoId
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


def _certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate for this run: (DER, PEM with its key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "headwater")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))  # the other clock may be behind
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.DER), pem


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
        self.certificate, pem = _certificate()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        with tempfile.TemporaryDirectory() as folder:  # ssl loads a key from a file only
            path = Path(folder) / "key.pem"
            path.touch(mode=0o600)
            path.write_bytes(pem)
            self._context.load_cert_chain(path)
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
        token = secrets.token_bytes(HASH_BYTES)
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
            with self._context.wrap_socket(sock, server_side=True) as connection:
                self._serve_authenticated(sock, connection)
        except (OSError, NodeError) as error:
            log.debug("bulk.ended", extra={"reason": str(error)})
        finally:
            with self._lock:
                self._connections.pop(sock, None)
            sock.close()

    def _serve_authenticated(self, raw: socket.socket, connection: ssl.SSLSocket) -> None:
        token = bytearray(HASH_BYTES)
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
