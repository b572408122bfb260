"""RTMP's messages, cut into chunks on the wire. Pure. Source: Adobe's RTMP specification 1.0, 5."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from headwater.errors import RemoteProtocolError

__all__ = ["ChunkReader", "Message", "write_message"]

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
MAX_STREAMS = 32
"""Chunk streams of one connection, each of which may hold half a message."""
_DEFAULT_CHUNK_BYTES = 128
_SET_CHUNK_SIZE, _ABORT = 1, 2
_EXTENDED = 0xFFFFFF
_HEADER_BYTES = (11, 7, 3, 0)


@dataclass(frozen=True, slots=True)
class Message:
    """`time_ms` as the sender counts."""

    kind: int
    time_ms: int
    payload: bytes


@dataclass(slots=True)
class _Stream:
    kind: int = 0
    length: int = 0
    time_ms: int = 0
    delta_ms: int = 0
    is_extended: bool = False
    payload: bytearray | None = None


class ChunkReader:
    """Bytes in, messages out. Shape: holds one unfinished chunk, and one unfinished message a
    stream, together at most `max_bytes`, which may be raised when the sender is known."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._chunk_bytes = _DEFAULT_CHUNK_BYTES
        self._raw, self._at = bytearray(), 0
        self._streams: dict[int, _Stream] = {}
        self._held = 0

    def feed(self, raw: bytes) -> Iterator[Message]:
        """Raises: RemoteProtocolError."""
        self._raw += raw
        while (size := self._chunk()) is not None:
            start, self._at = self._at, self._at + size[0] + size[2]
            body = self._raw[start + size[0] : self._at]
            if (message := self._add(size[1], body)) is not None:
                if message.kind == _SET_CHUNK_SIZE:
                    self._set_chunk_size(message.payload)
                elif message.kind == _ABORT:
                    self._abort(message.payload)
                else:
                    yield message
        del self._raw[: self._at]
        self._at = 0

    def _chunk(self) -> tuple[int, _Stream, int] | None:
        """How long its header is, whose it is, and how many bytes it has; None until all of it is
        here."""
        raw, at = self._raw, self._at
        have = len(raw) - at
        if have < 1:
            return None
        form, number, head = raw[at] >> 6, raw[at] & 63, 1
        if number < 2:
            head = 2 + number
            if have < head:
                return None
            number = 64 + raw[at + 1] + (raw[at + 2] << 8 if head == 3 else 0)
        fields = at + head
        head += _HEADER_BYTES[form]
        if have < head:
            return None
        stream = self._streams.get(number) or self._new(number, form)
        time = int.from_bytes(raw[fields : fields + 3], "big") if form < 3 else 0
        is_extended = time == _EXTENDED if form < 3 else stream.is_extended
        if is_extended:
            if have < head + 4:
                return None
            time = int.from_bytes(raw[at + head : at + head + 4], "big")
            head += 4
        length, is_begun = stream.length, stream.payload is not None
        if form < 2:
            length = int.from_bytes(raw[fields + 3 : fields + 6], "big")
        if is_begun and form < 3:
            raise RemoteProtocolError("a message begins within another one")
        if not is_begun and self._held + length > self.max_bytes:
            raise RemoteProtocolError("a message that is too large")
        left = length - len(stream.payload or b"")
        size = min(left, self._chunk_bytes)
        if have < head + size:
            return None
        if not is_begun:
            self._begin(stream, form, time, length, is_extended, raw[fields + 6] if form < 2 else 0)
        return head, stream, size

    def _new(self, number: int, form: int) -> _Stream:
        if form or len(self._streams) >= MAX_STREAMS:
            raise RemoteProtocolError("a chunk of a stream that was never begun")
        return self._streams.setdefault(number, _Stream())

    def _begin(
        self, stream: _Stream, form: int, time: int, length: int, is_extended: bool, kind: int
    ) -> None:
        if form == 0:
            stream.time_ms, stream.delta_ms = time, 0
        else:
            stream.delta_ms = time if form < 3 else stream.delta_ms
            stream.time_ms = (stream.time_ms + stream.delta_ms) % 2**32
        if form < 2:
            stream.kind, stream.length = kind, length
        stream.is_extended, stream.payload = is_extended, bytearray()
        self._held += length

    def _add(self, stream: _Stream, body: bytearray) -> Message | None:
        assert stream.payload is not None
        stream.payload += body
        if len(stream.payload) < stream.length:
            return None
        message = Message(stream.kind, stream.time_ms, bytes(stream.payload))
        stream.payload = None
        self._held -= stream.length
        return message

    def _set_chunk_size(self, payload: bytes) -> None:
        size = int.from_bytes(payload[:4], "big")
        if not 0 < size < 2**31:
            raise RemoteProtocolError(f"chunks of {size} bytes")
        self._chunk_bytes = size

    def _abort(self, payload: bytes) -> None:
        stream = self._streams.get(int.from_bytes(payload[:4], "big"))
        if stream is not None and stream.payload is not None:
            self._held -= stream.length
            stream.payload = None


def write_message(channel: int, kind: int, payload: bytes, *, of_stream: int = 0) -> bytes:
    """In chunks of the default size: what a server says is short."""
    head = struct.pack(">B3xI", channel, len(payload) << 8 | kind) + struct.pack("<I", of_stream)
    chunks = [
        payload[at : at + _DEFAULT_CHUNK_BYTES]
        for at in range(0, len(payload), _DEFAULT_CHUNK_BYTES)
    ]
    return head + bytes((0xC0 | channel,)).join(chunks)
