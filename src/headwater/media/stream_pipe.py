"""What a node and its remuxing process say to each other over a pipe. Pure.

A frame is a kind (one byte), a length (four bytes, big-endian) and a body. The node asks for one
thing at a time (OPEN, INIT, SEGMENT); the process asks back for bytes of the video (WANT, answered
by BYTES) and ends with MADE or FAILED. STOP makes it give up, which then ends as FAILED.
"""

import struct

import msgspec
from msgspec import Struct

from headwater.errors import MediaError

__all__ = [
    "BYTES",
    "FAILED",
    "HEADER",
    "INIT",
    "MADE",
    "OPEN",
    "SEGMENT",
    "STOP",
    "STOPPED",
    "WANT",
    "Failure",
    "Opening",
    "Stretch",
    "frame",
    "parse_header",
]

OPEN, INIT, SEGMENT, BYTES, STOP, WANT, MADE, FAILED = range(8)
HEADER = struct.Struct(">BI")
MAX_BODY_BYTES = 256 * 1024 * 1024
"""A segment of 20 s at 100 Mbit/s; what claims to be more is not believed."""
STOPPED = "stopped"


class Opening(Struct, frozen=True):
    """The video to cut. `duration_ms`: by the catalogue, for files that do not know it."""

    name: str
    size_bytes: int
    duration_ms: int


class Stretch(Struct, frozen=True):
    """Bytes [start, start + length) of the video."""

    start: int
    length: int


class Failure(Struct, frozen=True):
    """`code` as in errors.py, or STOPPED."""

    code: str
    message: str


def frame(kind: int, body: bytes | Struct | int | list[float] = b"") -> bytes:
    raw = body if isinstance(body, bytes) else msgspec.msgpack.encode(body)
    return HEADER.pack(kind, len(raw)) + raw


def parse_header(header: bytes) -> tuple[int, int]:
    """Kind and length of the body. Raises: MediaError when the other side talks nonsense."""
    kind, length = HEADER.unpack(header)
    if kind > FAILED or length > MAX_BODY_BYTES:
        raise MediaError("the process that reads the video talks nonsense: the video is damaged")
    return kind, length
