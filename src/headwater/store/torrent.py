"""The hybrid info-dict of one file: a video's identity. Source: BEP 3 (v1), BEP 52 (v2)."""

import unicodedata
from dataclasses import dataclass
from hashlib import sha1, sha256
from typing import Self

from headwater.errors import RemoteProtocolError
from headwater.store.bencode import Value, parse_bencode
from headwater.store.shape import VideoShape
from headwater.transfer.proof import LayerTree
from headwater.wire.ids import HASH_BYTES, VideoId

__all__ = ["MAX_INFO_BYTES", "Torrent", "check_file_name", "check_shape"]

MAX_INFO_BYTES = 24 * 1024 * 1024
"""2**20 SHA-1 hashes of pieces, and room."""
MAX_PIECES = 2**20
MAX_SIZE_BYTES = 4 * 2**40
"""Its bitmap takes 32 MB, which a stranger's entry may cost us at most."""
MAX_PIECE_BYTES = 16 * 1024 * 1024
MAX_NAME_BYTES = 255
_SHA1_BYTES = 20
_BAD_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
"""Controls, surrogates, line and paragraph separators: traps for terminals and scripts."""


@dataclass(frozen=True, slots=True)
class Torrent:
    """A single-file info-dict and the hashes of the file's pieces, found to fit together."""

    video: VideoId
    infohash_v1: bytes
    """SHA-1 of the info-dict, 20 bytes."""
    info: bytes
    """The bencoded info-dict, exactly as hashed."""
    layer: bytes
    """The pieces' hashes, 32 bytes each; in a file of one piece the pieces root itself."""
    shape: VideoShape
    pieces_root: bytes
    file_name: str

    @classmethod
    def parse(cls, info: bytes, layer: bytes) -> Self:
        """Raises: RemoteProtocolError when this is not one sanely named file in both versions, or
        the layer does not lead to the pieces root."""
        if len(info) > MAX_INFO_BYTES:
            raise RemoteProtocolError(f"an info-dict of {len(info)} bytes passes {MAX_INFO_BYTES}")
        fields = parse_bencode(info)
        if not isinstance(fields, dict):
            raise RemoteProtocolError("an info-dict is a dictionary, this is not")
        file_name = _file_name(fields)
        size_bytes, pieces_root = _file(fields, file_name)
        shape = VideoShape(size_bytes, _number(fields, b"piece length"))
        check_shape(shape)
        _check_v1(fields, shape)
        if len(layer) != shape.pieces * HASH_BYTES or LayerTree(shape, layer).root != pieces_root:
            raise RemoteProtocolError(f"the piece layer of {file_name!r} does not fit its root")
        return cls(
            video=VideoId(sha256(info).digest()),
            infohash_v1=sha1(info, usedforsecurity=False).digest(),
            info=bytes(info),
            layer=bytes(layer),
            shape=shape,
            pieces_root=pieces_root,
            file_name=file_name,
        )


def check_shape(shape: VideoShape) -> None:
    """Raises: RemoteProtocolError when the file is larger than the protocol can carry."""
    if shape.piece_bytes > MAX_PIECE_BYTES or shape.pieces > MAX_PIECES:
        raise RemoteProtocolError(
            f"{shape.pieces} pieces of {shape.piece_bytes} bytes pass the limit of"
            f" {MAX_PIECES} pieces of at most {MAX_PIECE_BYTES} bytes"
        )
    if shape.size_bytes > MAX_SIZE_BYTES:
        raise RemoteProtocolError(
            f"{shape.size_bytes} bytes pass the limit of {MAX_SIZE_BYTES} for one file"
        )


def check_file_name(name: str) -> None:
    """Raises: RemoteProtocolError when the name could lead out of a folder or deceive."""
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise RemoteProtocolError(f"{name[:80]!r} is no file name")
    if any(unicodedata.category(character) in _BAD_CATEGORIES for character in name):
        raise RemoteProtocolError(f"the file name {name[:80]!r} holds control characters")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise RemoteProtocolError(
            f"a file name of {len(name.encode())} bytes passes {MAX_NAME_BYTES}"
        )


def _field(fields: dict[bytes, Value], key: bytes) -> Value:
    try:
        return fields[key]
    except KeyError:
        raise RemoteProtocolError(f"the info-dict has no {key.decode()!r}") from None


def _number(fields: dict[bytes, Value], key: bytes) -> int:
    value = _field(fields, key)
    if not isinstance(value, int):
        raise RemoteProtocolError(f"{key.decode()!r} in the info-dict is no number")
    return value


def _string(fields: dict[bytes, Value], key: bytes) -> bytes:
    value = _field(fields, key)
    if not isinstance(value, bytes):
        raise RemoteProtocolError(f"{key.decode()!r} in the info-dict is no string")
    return value


def _dictionary(fields: dict[bytes, Value], key: bytes) -> dict[bytes, Value]:
    value = _field(fields, key)
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"{key.decode()!r} in the info-dict is no dictionary")
    return value


def _file_name(fields: dict[bytes, Value]) -> str:
    try:
        name = _string(fields, b"name").decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError("the file name in an info-dict is not UTF-8") from error
    check_file_name(name)
    return name


def _file(fields: dict[bytes, Value], file_name: str) -> tuple[int, bytes]:
    """Size and pieces root of the one file in the v2 file tree."""
    tree = _dictionary(fields, b"file tree")
    if list(tree) != [file_name.encode()]:
        raise RemoteProtocolError(f"the info-dict holds more than the one file {file_name!r}")
    entry = _dictionary(tree, file_name.encode())
    if list(entry) != [b""]:
        raise RemoteProtocolError(f"{file_name!r} in the info-dict is a folder")
    file = _dictionary(entry, b"")
    pieces_root = _string(file, b"pieces root")
    if len(pieces_root) != HASH_BYTES:
        raise RemoteProtocolError(f"a pieces root has {HASH_BYTES} bytes, not {len(pieces_root)}")
    return _number(file, b"length"), pieces_root


def _check_v1(fields: dict[bytes, Value], shape: VideoShape) -> None:
    """That the v1 half describes the same file, so that browsers and older clients can join."""
    if _number(fields, b"meta version") != 2 or b"files" in fields:
        raise RemoteProtocolError("the info-dict is not that of one file in versions 1 and 2")
    if _number(fields, b"length") != shape.size_bytes:
        raise RemoteProtocolError("the two halves of a hybrid info-dict tell different lengths")
    if len(_string(fields, b"pieces")) != shape.pieces * _SHA1_BYTES:
        raise RemoteProtocolError(f"the info-dict needs {shape.pieces} SHA-1 hashes of pieces")
