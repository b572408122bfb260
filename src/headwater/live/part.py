"""A part of a live in memory: the very bytes that came, so that passing it on costs nothing."""

import hashlib
from dataclasses import dataclass
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.msgpack import Decoder

from headwater.errors import RemoteProtocolError
from headwater.link.port import Stream
from headwater.wire import frames
from headwater.wire.live import (
    Part,
    PartInfo,
    check_payload,
    check_signature,
    part_decoder,
    part_info,
    pushed_decoder,
)

__all__ = ["Head", "LivePart", "read_head", "read_pushed", "stored_part"]

T = TypeVar("T")
MAX_HEAD_BYTES = 512
"""A part's header, framed, takes about 220."""


@dataclass(frozen=True, slots=True)
class LivePart:
    """Checked. `frame`: the encoded Part with its length, then the payload, as it travels."""

    info: PartInfo
    frame: bytes
    head_bytes: int

    @property
    def seq(self) -> int:
        return self.info.seq

    @property
    def head(self) -> bytes:
        return self.frame[: self.head_bytes]

    @property
    def payload(self) -> bytes:
        return self.frame[self.head_bytes :]


@dataclass(frozen=True, slots=True)
class Head:
    """What came of a part before its payload: nothing of it is proven."""

    info: PartInfo
    part: Part
    encoded: bytes

    async def read_part(self, key: Ed25519PublicKey, stream: Stream) -> LivePart:
        """The whole of it; the signature is checked while the payload is on its way. Raises:
        LinkClosed; RemoteProtocolError when forged."""
        check_signature(key, self.part)
        payload = await stream.read_exact(self.info.size_bytes)
        check_payload(self.info, payload)
        return LivePart(self.info, self.encoded + payload, len(self.encoded))


async def read_head(stream: Stream) -> Head | None:
    """The next part's; None where the stream ends. Raises: LinkClosed, RemoteProtocolError."""
    found = await _read(stream, part_decoder)
    return None if found is None else _head(*found)


async def read_pushed(stream: Stream) -> Head | int | None:
    """Off a push stream: a part's, or the number of one that is left out; None where the stream
    ends. Raises: LinkClosed, RemoteProtocolError."""
    found = await _read(stream, pushed_decoder)
    if found is None:
        return None
    came, encoded = found
    return came if isinstance(came, int) else _head(came, encoded)


def _head(part: Part, encoded: bytes) -> Head:
    return Head(part_info(part), part, encoded)


async def _read(stream: Stream, decoder: Decoder[T]) -> tuple[T, bytes] | None:
    """A frame, and its bytes."""
    start = await stream.read(frames.HEADER_BYTES)
    if not start:
        return None
    start += await stream.read_exact(frames.HEADER_BYTES - len(start))
    size = frames.frame_length(start)
    if size > MAX_HEAD_BYTES:
        raise RemoteProtocolError(f"a part's header of {size} bytes was announced")
    body = await stream.read_exact(size)
    return frames.decode(body, decoder), start + body


def stored_part(encoded: bytes, payload: bytes) -> LivePart | None:
    """What this node checked before it wrote it down; None when the disk has changed it."""
    try:
        info = part_info(frames.decode(encoded[frames.HEADER_BYTES :], part_decoder))
    except RemoteProtocolError:
        return None
    if hashlib.sha256(payload).digest() != info.sha256:
        return None
    return LivePart(info, encoded + payload, len(encoded))
