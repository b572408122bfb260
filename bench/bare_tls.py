"""The floor under a copy: TLS 1.3, a hash of every block, the disk, and nothing of Headwater.

`python -m bench.bare_tls serve FILE FOLDER` puts its certificate into FOLDER and says its port;
`... fetch FOLDER SIZE` answers each `get TARGET PORT` with the seconds until the file is whole.
"""

import asyncio
import hashlib
import mmap
import os
import socket
import ssl
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.child import say, stdin_closes, told

__all__ = ["client_side", "make_certificate", "server_side"]

CONNECTIONS = 3
STEP_BYTES = 4 * 1024 * 1024
BLOCK_BYTES = 16 * 1024
CERTIFICATE = "bare_tls.pem"
_RANGE = struct.Struct("!QQ")
_DIRECT = getattr(os, "O_DIRECT", 0)


def make_certificate(file: Path) -> None:
    """Self-signed, with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "floor")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    file.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate)
    return context


def client_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(certificate)
    return context


def _serve(file: Path, certificate: Path) -> None:
    """Until whoever started us is gone: each connection asks for one range."""
    make_certificate(certificate)
    context = server_side(certificate)

    def send(accepted: socket.socket) -> None:
        buffer = memoryview(bytearray(STEP_BYTES))
        with context.wrap_socket(accepted, server_side=True) as connection, file.open("rb") as own:
            at, end = _RANGE.unpack(connection.recv(_RANGE.size))
            for start in range(at, end, STEP_BYTES):
                part = buffer[: min(STEP_BYTES, end - start)]
                os.preadv(own.fileno(), [part], start)
                connection.sendall(part)
            connection.recv(1)  # until the other has it all

    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            threading.Thread(target=send, args=listener.accept()[:1], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    say({"port": listener.getsockname()[1]})
    asyncio.run(stdin_closes())


def _receive(port: int, context: ssl.SSLContext, target: Path, at: int, end: int) -> None:
    """One range, hashed block by block while it is in the processor's cache, and written."""
    buffer = memoryview(mmap.mmap(-1, STEP_BYTES))
    direct = os.open(target, os.O_WRONLY | _DIRECT)
    plain = os.open(target, os.O_WRONLY)
    with (
        socket.create_connection(("127.0.0.1", port)) as sock,
        context.wrap_socket(sock) as connection,
    ):
        connection.sendall(_RANGE.pack(at, end))
        for start in range(at, end, STEP_BYTES):
            part = buffer[: min(STEP_BYTES, end - start)]
            for first in range(0, len(part), BLOCK_BYTES):
                block = part[first : first + BLOCK_BYTES]
                got = 0
                while got < len(block):
                    got += connection.recv_into(block[got:]) or sys.exit("it hung up")
                hashlib.sha256(block).digest()
            whole = len(part) - len(part) % mmap.PAGESIZE
            os.pwrite(direct, part[:whole], start)
            if whole < len(part):
                os.pwrite(plain, part[whole:], start + whole)
    os.close(direct)
    os.close(plain)


def _get(target: Path, port: int, certificate: Path, size_bytes: int) -> float:
    """Seconds from the first connection until the file is whole and on the disk."""
    began_s = time.perf_counter()
    context = client_side(certificate)
    with target.open("wb") as file:
        file.truncate(size_bytes)
        share = -(-size_bytes // CONNECTIONS // STEP_BYTES) * STEP_BYTES
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            shares = [
                pool.submit(_receive, port, context, target, at, min(at + share, size_bytes))
                for at in range(0, size_bytes, share)
            ]
            for each in shares:
                each.result()
        os.fsync(file.fileno())
    return time.perf_counter() - began_s


def _fetch(certificate: Path, size_bytes: int) -> None:
    say({"ready": True})
    while (words := told()) is not None:
        say({"seconds": _get(Path(words[1]), int(words[2]), certificate, size_bytes)})


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(Path(sys.argv[2]), Path(sys.argv[3]) / CERTIFICATE)
    else:
        _fetch(Path(sys.argv[2]) / CERTIFICATE, int(sys.argv[3]))
