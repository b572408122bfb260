"""Length-prefixed MessagePack frames: four bytes big-endian length, then one message."""

import struct
from typing import TypeVar

import msgspec

from headwater.errors import RemoteProtocolError

__all__ = ["HEADER_BYTES", "MALFORMED", "MAX_FRAME_BYTES", "decode", "encode", "frame_length"]

HEADER_BYTES = 4
MAX_FRAME_BYTES = 1024 * 1024
"""No message is longer: what is larger (blocks, blobs) follows its frame as raw bytes."""

MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a msgspec decoder raises on bytes that are no message: the latter two escape its own
errors."""

_LENGTH = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()
M = TypeVar("M")


def encode(message: object) -> bytes:
    """Header and body, ready to be written. Raises: ValueError when the body passes
    MAX_FRAME_BYTES."""
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(
            f"{type(message).__name__} takes {len(body)} bytes, a frame holds {MAX_FRAME_BYTES}"
        )
    return _LENGTH.pack(len(body)) + body


def frame_length(header: bytes) -> int:
    """How many bytes follow the header. Raises: RemoteProtocolError when they are too many."""
    (length,) = _LENGTH.unpack(header)
    if length > MAX_FRAME_BYTES:
        raise RemoteProtocolError(
            f"a frame of {length} bytes was announced, the limit is {MAX_FRAME_BYTES}"
        )
    return int(length)


def decode(body: bytes, decoder: "msgspec.msgpack.Decoder[M]") -> M:
    """The typed message. Raises: RemoteProtocolError when the body is not one."""
    try:
        return decoder.decode(body)
    except MALFORMED as error:
        raise RemoteProtocolError(f"a frame holds no known message: {error}") from error
