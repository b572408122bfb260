"""TLS 1.3 beside a link: as authentic as the link over which certificate and token were handed out.

The client accepts exactly this certificate, whatever names or dates it shows; the token, its first
bytes, tells the server which neighbour it is.
"""

import secrets
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headwater.errors import RemoteProtocolError

__all__ = ["TOKEN_BYTES", "ServerIdentity", "check_server", "client_context", "new_token"]

TOKEN_BYTES = 32


class ServerIdentity:
    """A certificate for one run of a server. Takes some milliseconds and writes a temporary file.

    `certificate`: DER, for `client_context`; `context`: for the server's sockets."""

    def __init__(self) -> None:
        self.certificate, pem = _certificate()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        with tempfile.TemporaryDirectory() as folder:  # ssl loads a key from a file only
            path = Path(folder) / "key.pem"
            path.touch(mode=0o600)
            path.write_bytes(pem)
            self.context.load_cert_chain(path)


def new_token() -> bytes:
    return secrets.token_bytes(TOKEN_BYTES)


def client_context(certificate: bytes) -> ssl.SSLContext:
    """For connections to the server that shows this (DER). Raises: RemoteProtocolError when it is
    none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the certificate itself is what we know, not a name
    try:
        context.load_verify_locations(cadata=certificate)
    except (ssl.SSLError, ValueError) as error:
        raise RemoteProtocolError(f"what was sent as a certificate is none: {error}") from error
    return context


def check_server(shown: bytes | None, agreed: bytes, address: str) -> None:
    """Raises: RemoteProtocolError unless the server showed the very certificate (DER) agreed on."""
    if shown != agreed:
        raise RemoteProtocolError(f"{address} showed another certificate than was agreed")


def _certificate() -> tuple[bytes, bytes]:
    """Self-signed: (DER, PEM with its key)."""
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
