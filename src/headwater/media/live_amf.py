"""AMF0, in which RTMP's commands are written. Pure. Source: Adobe's AMF 0 specification.

Only what encoders say: numbers, booleans, strings, objects, null."""

import struct
from typing import TypeAlias

from headwater.errors import RemoteProtocolError

__all__ = ["Value", "decode", "encode"]

Value: TypeAlias = "float | bool | str | dict[str, Value] | list[Value] | None"

MAX_DEPTH = 8
MAX_VALUES = 512
_END_OF_OBJECT = 9


def encode(*values: Value) -> bytes:
    return b"".join(_encode(value) for value in values)


def _encode(value: Value) -> bytes:
    if value is None:
        return b"\5"
    if isinstance(value, bool):
        return bytes((1, value))
    if isinstance(value, int | float):
        return b"\0" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\2" + _encode_name(value)
    assert isinstance(value, dict)
    fields = (_encode_name(name) + _encode(field) for name, field in value.items())
    return b"\3" + b"".join(fields) + b"\0\0\x09"


def _encode_name(name: str) -> bytes:
    raw = name.encode()
    return struct.pack(">H", len(raw)) + raw


def decode(raw: bytes) -> list[Value]:
    """All values. Raises: RemoteProtocolError."""
    reader = _Reader(raw)
    values = []
    try:
        while reader.at < len(raw):
            values.append(reader.value(0))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"a command that cannot be read: {error}") from error
    return values


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw, self.at, self._count = raw, 0, 0

    def value(self, depth: int) -> Value:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_VALUES:
            raise RemoteProtocolError("a command that is too large")
        kind = self._take(1)[0]
        if kind == 0:
            (number,) = struct.unpack(">d", self._take(8))
            return float(number)
        if kind == 1:
            return bool(self._take(1)[0])
        if kind == 2:
            return self._text(2)
        if kind in (3, 8):
            if kind == 8:
                self._take(4)
            return self._fields(depth)
        if kind in (5, 6):
            return None
        if kind == 10:
            return [self.value(depth + 1) for _ in range(int.from_bytes(self._take(4), "big"))]
        if kind == 11:
            self._take(10)
            return None
        if kind == 12:
            return self._text(4)
        raise RemoteProtocolError(f"a command with a value of unknown kind {kind}")

    def _fields(self, depth: int) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        while True:
            name = self._text(2)
            if not name and self._raw[self.at] == _END_OF_OBJECT:
                self.at += 1
                return fields
            fields[name] = self.value(depth + 1)

    def _text(self, length_bytes: int) -> str:
        return self._take(int.from_bytes(self._take(length_bytes), "big")).decode()

    def _take(self, size: int) -> bytes:
        part = self._raw[self.at : self.at + size]
        if len(part) < size:
            raise IndexError("it ends too soon")
        self.at += size
        return part
