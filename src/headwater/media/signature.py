"""Tells by its first bytes whether a file may be a recording, before any library opens it."""

from typing import Final

__all__ = ["HEAD_BYTES", "may_be_media"]

HEAD_BYTES = 4096

_MP4_ATOMS: Final = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp")
_BEGINNINGS: Final = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"OggS",
    b"FLV\x01",
    b"fLaC",
    b"ID3",  # MP3 with tags
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video
    b"0&\xb2u\x8ef\xcf\x11",  # ASF: WMV, WMA
)
_TS_PACKETS: Final = ((188, 0), (192, 4))
"""Packet length of MPEG-TS, and where the sync byte lies (the second is cameras' and Blu-ray's)."""


def may_be_media(head: bytes) -> bool:
    """Whether a file that begins with `head` looks like one of the formats that are opened."""
    if head.startswith(_BEGINNINGS) or head[4:8] in _MP4_ATOMS:
        return True
    if head.startswith(b"RIFF") and head[8:12] in (b"AVI ", b"WAVE"):
        return True
    if any(_has_sync(head, length, at) for length, at in _TS_PACKETS):
        return True
    return _is_audio_frame(head)


def _has_sync(head: bytes, length: int, at: int) -> bool:
    marks = head[at::length]
    return len(marks) >= 3 and marks.count(0x47) == len(marks)


def _is_audio_frame(head: bytes) -> bool:
    """An MP3 or ADTS frame header: 11 sync bits, and fields with values that are not reserved."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    if head[1] & 0xF6 == 0xF0:  # ADTS
        return head[2] >> 2 & 0x0F < 13
    return head[1] & 0x18 != 0x08 and head[1] & 0x06 != 0 and head[2] & 0xF0 != 0xF0
