"""Strict bencoding, reading only: what is accepted has exactly one spelling. Source: BEP 3.

libtorrent's reader lets unsorted and doubled keys and leading zeros pass, so that two readers could
see different things in the bytes whose hash is a video's identity."""

from headwater.errors import RemoteProtocolError

__all__ = ["Value", "parse_bencode"]

Value = int | bytes | list["Value"] | dict[bytes, "Value"]

_MAX_DEPTH = 16
_MAX_DIGITS = 19


def parse_bencode(raw: bytes) -> Value:
    """The value that all of `raw` spells. Raises: RemoteProtocolError when it is not canonical."""
    try:
        value, end = _value(raw, 0, _MAX_DEPTH)
    except (ValueError, IndexError) as error:
        raise RemoteProtocolError(f"this is no bencoded value: {error}") from error
    if end != len(raw):
        raise RemoteProtocolError(f"{len(raw) - end} bytes follow the bencoded value")
    return value


def _value(raw: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth == 0:
        raise ValueError(f"it is nested deeper than {_MAX_DEPTH}")
    kind = raw[at : at + 1]
    if kind == b"i":
        return _integer(raw, at + 1, b"e")
    if kind == b"l":
        return _list(raw, at + 1, depth)
    if kind == b"d":
        return _dict(raw, at + 1, depth)
    return _string(raw, at)


def _integer(raw: bytes, at: int, end_mark: bytes) -> tuple[int, int]:
    end = raw.index(end_mark, at, at + _MAX_DIGITS + 2)
    digits = raw[at:end]
    number = int(digits)  # takes blanks and underscores too: the comparison does not
    if b"%d" % number != digits:
        raise ValueError(f"{digits!r} is not how {number} is written")
    return number, end + 1


def _string(raw: bytes, at: int) -> tuple[bytes, int]:
    length, start = _integer(raw, at, b":")
    if not 0 <= length <= len(raw) - start:
        raise ValueError(f"a string of {length} bytes cannot be here")
    return raw[start : start + length], start + length


def _list(raw: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    values: list[Value] = []
    while raw[at] != ord("e"):
        value, at = _value(raw, at, depth - 1)
        values.append(value)
    return values, at + 1


def _dict(raw: bytes, at: int, depth: int) -> tuple[dict[bytes, Value], int]:
    values: dict[bytes, Value] = {}
    last: bytes | None = None
    while raw[at] != ord("e"):
        key, at = _string(raw, at)
        if last is not None and key <= last:
            raise ValueError(f"key {key[:40]!r} comes after {last[:40]!r}")
        values[key], at = _value(raw, at, depth - 1)
        last = key
    return values, at + 1
