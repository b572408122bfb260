"""A part of a live in memory: the very bytes that came, so that passing it on costs nothing."""

import hashlib
from dataclasses import dataclass
from typing import TypeVar

from msgspec.msgpack import Decoder

from headwater.errors import RemoteProtocolError
from headwater.link.port import LinkClosed, Stream
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

__all__ = ["Fragment", "Head", "LivePart", "next_head", "next_pushed", "stored_part"]

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
class Fragment:
    """That came in several parts. `info`: the first one's."""

    info: PartInfo
    payload: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """What came of a part before its payload: nothing of it is proven."""

    info: PartInfo
    part: Part
    head_bytes: int

    @property
    def frame_bytes(self) -> int:
        """Of it and the payload."""
        return self.head_bytes + self.info.size_bytes

    async def read_part(self, stream_key: bytes, stream: Stream) -> LivePart:
        """The whole of it; the signature is checked while the payload is on its way. Raises:
        LinkClosed; RemoteProtocolError when forged."""
        check_signature(stream_key, self.part)
        frame = await stream.read_exact(self.frame_bytes)
        check_payload(self.info, memoryview(frame)[self.head_bytes :])
        return LivePart(self.info, frame, self.head_bytes)


async def next_head(stream: Stream) -> Head | None:
    """The next part's, which stays in the stream; None where that ends. Raises: LinkClosed,
    RemoteProtocolError."""
    found = await _peek(stream, part_decoder)
    return None if found is None else _head(*found)


async def next_pushed(stream: Stream) -> Head | int | None:
    """Of a push stream: a part's, which stays there, or the number of one that is left out; None
    where the stream ends. Raises: LinkClosed, RemoteProtocolError."""
    found = await _peek(stream, pushed_decoder)
    if found is None:
        return None
    came, size = found
    if not isinstance(came, int):
        return _head(came, size)
    await stream.read_exact(size)
    return came


def _head(part: Part, size: int) -> Head:
    return Head(part_info(part), part, size)


async def _peek(stream: Stream, decoder: Decoder[T]) -> tuple[T, int] | None:
    """A frame, and how long it is with its length."""
    start = await _peek_whole(stream, frames.HEADER_BYTES)
    if not start:
        return None
    size = frames.HEADER_BYTES + frames.frame_length(start)
    if size > MAX_HEAD_BYTES:
        raise RemoteProtocolError(f"a part's header of {size} bytes was announced")
    frame = await _peek_whole(stream, size)
    return frames.decode(frame[frames.HEADER_BYTES :], decoder), size


async def _peek_whole(stream: Stream, size: int) -> bytes:
    """So much; nothing where the stream ends."""
    found = await stream.peek(size)
    if 0 < len(found) < size:
        raise LinkClosed("the stream ended inside a part")
    return found


def stored_part(encoded: bytes, payload: bytes) -> LivePart | None:
    """What this node checked before it wrote it down; None when the disk has changed it."""
    try:
        info = part_info(frames.decode(encoded[frames.HEADER_BYTES :], part_decoder))
    except RemoteProtocolError:
        return None
    if hashlib.sha256(payload).digest() != info.sha256:
        return None
    return LivePart(info, encoded + payload, len(encoded))
