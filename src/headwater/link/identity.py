"""The node's key: made at the first start, kept in the state directory, readable by its owner
only."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from headwater.errors import Conflict
from headwater.wire.ids import NodeId

__all__ = ["FILE_NAME", "Identity", "load_identity"]

FILE_NAME = "identity.pem"
_MAX_FILE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Identity:
    key: Ed25519PrivateKey
    node: NodeId

    @property
    def secret(self) -> bytes:
        """The key's 32 bytes, for the link endpoint."""
        return self.key.private_bytes_raw()


def load_identity(state: Path) -> Identity:
    """This node's identity; the same at every start. Blocking.

    Raises: Conflict when the file is there but cannot be used: losing an identity is for a person
    to decide."""
    path = state / FILE_NAME
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        _create(path, Ed25519PrivateKey.generate())
    key = _read(path)
    return Identity(key, NodeId(key.public_key().public_bytes_raw()))


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)  # a copy or an unpacked backup may have opened it up
        with path.open("rb") as file:
            key = load_pem_private_key(file.read(_MAX_FILE_BYTES), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Conflict(f"{path} cannot be read as this node's key: {error}; {_REMEDY}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Conflict(f"{path} holds another kind of key than Ed25519; {_REMEDY}")
    return key


_REMEDY = "restore it from a backup, or move it away to start as a new node"


def _create(path: Path, key: Ed25519PrivateKey) -> None:
    """Write it so that a crash leaves either no file or a whole one; an identity made meanwhile is
    kept."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
