"""H.264 as far as a live must understand it: NAL units, and what a sequence header says. Pure.

Source: ITU-T H.264 7.3, ISO/IEC 14496-15 5.3.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from headwater.errors import MediaError

__all__ = ["Sps", "avcc", "avcc_units", "has_idr", "join_units", "parse_sps", "units_of"]

IDR, SPS, PPS = 5, 7, 8
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose header tells the depth and the subsampling of colours."""


@dataclass(frozen=True, slots=True)
class Sps:
    profile: int
    is_420_8bit: bool
    width: int
    height: int


def units_of(payload: bytes, length_bytes: int) -> list[bytes]:
    """NAL units that each follow their length; `length_bytes` 0: after start codes (Annex B).

    Raises: MediaError when the lengths do not add up."""
    if not length_bytes:
        return _after_start_codes(payload)
    units, at = [], 0
    while at < len(payload):
        end = at + length_bytes
        size = int.from_bytes(payload[at:end], "big")
        if not size or end + size > len(payload):
            raise MediaError("a damaged picture")
        units.append(payload[end : end + size])
        at = end + size
    return units


def _after_start_codes(payload: bytes) -> list[bytes]:
    units, at = [], payload.find(b"\0\0\1")
    while at >= 0:
        following = payload.find(b"\0\0\1", at + 3)
        unit = payload[at + 3 : following if following >= 0 else len(payload)].rstrip(b"\0")
        if unit:
            units.append(unit)
        at = following
    return units


def join_units(units: Sequence[bytes]) -> bytes:
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units)


def has_idr(units: Sequence[bytes]) -> bool:
    """Whether a player can start with this picture."""
    return any(unit[0] & 31 == IDR for unit in units)


def avcc(sps: Sequence[bytes], pps: Sequence[bytes]) -> bytes:
    """The AVCDecoderConfigurationRecord, for units after four bytes of length."""
    first = sps[0]
    if first[1] in _HIGH:
        head = _parse_head(first)
        tail = bytes((0xFC | head.chroma, 0xF8 | head.depth - 8, 0xF8 | head.chroma_depth - 8, 0))
    else:
        tail = b""
    return b"".join(
        (
            bytes((1, first[1], first[2], first[3], 0xFF, 0xE0 | len(sps))),
            *(struct.pack(">H", len(unit)) + unit for unit in sps),
            bytes((len(pps),)),
            *(struct.pack(">H", len(unit)) + unit for unit in pps),
            tail,
        )
    )


def avcc_units(record: bytes) -> tuple[int, list[bytes], list[bytes]]:
    """Bytes of length before each unit, and the sequence and picture headers, of an avcC record or
    of the same in Annex B (then 0). Raises: MediaError."""
    if record[:1] != b"\1":
        units = _after_start_codes(record)
        return 0, [u for u in units if u[0] & 31 == SPS], [u for u in units if u[0] & 31 == PPS]
    try:
        at, found = 5, []
        for mask in (31, 255):
            group = []
            count, at = record[at] & mask, at + 1
            for _ in range(count):
                (size,) = struct.unpack_from(">H", record, at)
                group.append(record[at + 2 : at + 2 + size])
                at += 2 + size
            found.append([unit for unit in group if unit])
        return (record[4] & 3) + 1, found[0], found[1]
    except (IndexError, struct.error) as error:
        raise MediaError("the header of the H.264 stream is damaged") from error


def parse_sps(unit: bytes) -> Sps:
    """Raises: MediaError."""
    try:
        head = _parse_head(unit)
        width, height = _size(head)
    except IndexError as error:
        raise MediaError("the header of the H.264 stream is damaged") from error
    is_plain = head.chroma == 1 and head.depth == head.chroma_depth == 8
    return Sps(unit[1], is_plain, width, height)


class _Bits:
    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._raw[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def ue(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise IndexError
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        number = self.ue()
        return (number + 1) // 2 if number & 1 else -(number // 2)


@dataclass(slots=True)
class _Head:
    bits: _Bits
    chroma: int = 1
    depth: int = 8
    chroma_depth: int = 8


def _parse_head(unit: bytes) -> _Head:
    """Up to and with what only high profiles say."""
    bits = _Bits(unit[1:].replace(b"\0\0\3", b"\0\0"))
    head = _Head(bits)
    profile = bits.take(8)
    bits.take(16)
    bits.ue()
    if profile in _HIGH:
        head.chroma = bits.ue()
        if head.chroma == 3:
            bits.take(1)
        head.depth, head.chroma_depth = 8 + bits.ue(), 8 + bits.ue()
        bits.take(1)
        if bits.take(1):
            for number in range(8 if head.chroma != 3 else 12):
                if bits.take(1):
                    _skip_scaling(bits, 16 if number < 6 else 64)
    return head


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _size(head: _Head) -> tuple[int, int]:
    """Width and height of the picture, its hidden edges cut off."""
    bits = head.bits
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue() % 256):
            bits.se()
    bits.ue()
    bits.take(1)
    width = 16 * (bits.ue() + 1)
    map_units = bits.ue() + 1
    is_progressive = bits.take(1)
    height = 16 * map_units * (2 - is_progressive)
    if not is_progressive:
        bits.take(1)
    bits.take(1)
    if bits.take(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        across = 2 if head.chroma in (1, 2) else 1
        down = (2 if head.chroma == 1 else 1) * (2 - is_progressive)
        width, height = width - across * (left + right), height - down * (top + bottom)
    return width, height
