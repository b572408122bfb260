"""What a node and the process that makes its live say to each other over pipes. Pure.

A frame is a kind (one byte), a length (four bytes, big-endian) and a body. The node says JOB once
and then, for `push:`, BYTES, RECORDED (the end of one recording) and CLOSED (no more). The process
says SAID: a part or a state, as MessagePack.
"""

import struct

import msgspec
from msgspec import Struct

from headwater.errors import MediaError
from headwater.media.live_options import Codec, IngestState, LiveOptions, MadePart

__all__ = [
    "BYTES",
    "CLOSED",
    "HEADER",
    "JOB",
    "RECORDED",
    "SAID",
    "Job",
    "Said",
    "frame",
    "job_of",
    "parse_header",
    "parse_said",
]

JOB, BYTES, RECORDED, CLOSED, SAID = range(5)
HEADER = struct.Struct(">BI")
MAX_BODY_BYTES = 8 * 1024 * 1024
"""The largest part, and room for what is said about it."""

Said = MadePart | IngestState


class Job(Struct, frozen=True):
    """LiveOptions, and where on the live's timeline to begin."""

    source: str
    loop: bool
    codec: Codec
    bitrate_bps: int
    height: int
    fps: int
    gop_s: float
    part_ms: int
    rtmp_key: str
    begin_us: int = 0


def job_of(options: LiveOptions, begin_us: int) -> Job:
    told = {name: getattr(options, name) for name in Job.__struct_fields__ if name != "begin_us"}
    return Job(**told, begin_us=begin_us)


def frame(kind: int, body: bytes | Struct = b"") -> bytes:
    raw = body if isinstance(body, bytes) else msgspec.msgpack.encode(body)
    return HEADER.pack(kind, len(raw)) + raw


def parse_header(header: bytes) -> tuple[int, int]:
    """Kind and length of the body. Raises: MediaError when the other side talks nonsense."""
    kind, length = HEADER.unpack(header)
    if kind > SAID or length > MAX_BODY_BYTES:
        raise MediaError("the process that makes the live talks nonsense")
    return kind, length


_decoder = msgspec.msgpack.Decoder(Said)


def parse_said(kind: int, body: bytes) -> Said:
    """Raises: MediaError."""
    try:
        if kind == SAID:
            said: Said = _decoder.decode(body)
            return said
    except msgspec.MsgspecError as error:
        raise MediaError(f"the process that makes the live talks nonsense: {error}") from error
    raise MediaError("the process that makes the live talks nonsense")
