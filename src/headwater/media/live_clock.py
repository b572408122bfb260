"""The time burnt into a picture, as a program reads it back from a screenshot. Pure.

At the picture's top lie two rows of 64 blocks, each as wide as a 64th of the picture and as high
as a 24th of it. In the first, white is 1; the second is its opposite, so that a bit is read by
comparing two neighbours, however bright, blurred or small the picture has become. The bits, the
highest first: milliseconds since 1970 (48), and a CRC-16 of those six bytes (16). A picture of 256
by 96 points or more can be read.
"""

import binascii
from collections.abc import Sequence

__all__ = ["BLACK", "WHITE", "burn", "read_clock"]

BITS, ROWS = 64, 24
BLACK, WHITE = 16, 235
_MIN_CONTRAST = 40
_SPREAD = 3
"""A block is read at so many points across and down."""

_GLYPHS = {
    "0": "69BD996", "1": "2622227", "2": "691248F", "3": "E161196",
    "4": "359F111", "5": "F8E1196", "6": "698E996", "7": "F112444", "8": "6996996",
    "9": "6997196", ":": "0220220", ".": "0000066",
}  # fmt: skip
"""Four by seven points each: a hexadecimal digit a row."""


def _crc(value: int) -> int:
    return binascii.crc_hqx(value.to_bytes(6, "big"), 0xFFFF)


def burn(
    plane: memoryview, line_bytes: int, width: int, height: int, now_ms: int, text: str
) -> None:
    """Write the time, and `text` (digits, colons, points) below it, into a brightness plane."""
    bits = now_ms << 16 | _crc(now_ms)
    row = bytearray()
    for number in range(BITS):
        is_one = bits >> (BITS - 1 - number) & 1
        block = (number + 1) * width // BITS - number * width // BITS
        row += bytes((WHITE if is_one else BLACK,)) * block
    opposite = bytes(BLACK + WHITE - value for value in row)
    for line in range(2 * height // ROWS):
        start = line * line_bytes
        plane[start : start + width] = row if line < height // ROWS else opposite
    _write(plane, line_bytes, width, height, text)


def _write(plane: memoryview, line_bytes: int, width: int, height: int, text: str) -> None:
    dot = max(1, height // 80)
    top, left = 3 * height // ROWS, 2 * dot
    for line in range(-1, 8):
        row = bytearray(bytes((BLACK,)) * dot)
        for sign in text:
            points = int(_GLYPHS[sign][line], 16) if 0 <= line < 7 else 0
            for bit in (8, 4, 2, 1, 0):
                row += bytes((WHITE if points & bit else BLACK,)) * dot
        row = row[: width - left]
        for repeat in range(dot):
            start = (top + line * dot + repeat) * line_bytes + left
            plane[start : start + len(row)] = row


def read_clock(
    grey: Sequence[int],
    width: int,
    height: int,
    line_bytes: int = 0,
    *,
    left: int = 0,
    top: int = 0,
) -> int | None:
    """Milliseconds since 1970 by the picture that lies at (`left`, `top`) and is `width` by
    `height` large in a buffer of brightnesses; None when no time can be read.

    Shape: `grey` has a byte a pixel, `line_bytes` a line (0: `width`)."""
    line_bytes = line_bytes or width
    if width < BITS or height < 2 * ROWS:
        return None
    bits = 0
    for number in range(BITS):
        xs = [left + int((number + (n + 1) / (_SPREAD + 1)) * width / BITS) for n in range(_SPREAD)]
        upper, lower = (
            sum(
                grey[(top + int((row + y) * height / ROWS)) * line_bytes + x]
                for x in xs
                for y in (0.35, 0.5, 0.65)
            )
            for row in (0, 1)
        )
        if abs(upper - lower) < _MIN_CONTRAST * 3 * _SPREAD:
            return None
        bits = bits << 1 | (upper > lower)
    now_ms = bits >> 16
    return now_ms if _crc(now_ms) == bits & 0xFFFF else None
