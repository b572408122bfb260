"""Where a file's index lies, read from its outermost boxes only: before the pictures, or not."""

import io
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Layout", "layout_of"]

_MAX_BOXES = 256
"""Real files have under twenty before the pictures begin."""

_EBML, _DOC_TYPE = 0x1A45DFA3, 0x4282
_SEGMENT, _CLUSTER, _CUES = 0x18538067, 0x1F43B675, 0x1C53BB6B


@dataclass(frozen=True, slots=True)
class Layout:
    """`kind` is `mp4`, `webm`, `matroska` or `other`."""

    kind: str
    index_in_front: bool
    """A player can seek after having read the beginning only."""


def layout_of(file: BinaryIO) -> Layout:
    """Never raises on odd input: what makes no sense is `other`, or its index not in front."""
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    if head[:4] == b"\x1aE\xdf\xa3":
        return _matroska(file)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp"):
        return Layout("mp4", _mp4_index_in_front(file))
    return Layout("other", index_in_front=True)


def _mp4_index_in_front(file: BinaryIO) -> bool:
    """moov, then mdat, and no fragments: those are found one by one only."""
    has_index = False
    for _ in range(_MAX_BOXES):
        start, header = file.tell(), file.read(8)
        if len(header) < 8:
            return False
        size, name = int.from_bytes(header[:4], "big"), header[4:]
        if name == b"moof":
            return False
        if name == b"mdat":
            return has_index
        has_index = has_index or name == b"moov"
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        if size < 8 or start + size >= 2**63:
            return False
        file.seek(start + size)
    return False


def _matroska(file: BinaryIO) -> Layout:
    size = _open_element(file, _EBML)
    doc_type = _doc_type(file.read(min(size, 1024)))
    kind = "webm" if doc_type == b"webm" else "matroska"
    if _open_element(file, _SEGMENT) < 0:
        return Layout(kind, index_in_front=False)
    for _ in range(_MAX_BOXES):
        identity, size = _element(file)
        if identity in (_CUES, _CLUSTER) or identity < 0 or size < 0:
            return Layout(kind, identity == _CUES)
        if file.tell() + size >= 2**63:
            break
        file.seek(size, io.SEEK_CUR)
    return Layout(kind, index_in_front=False)


def _doc_type(header: bytes) -> bytes:
    inside = io.BytesIO(header)
    while True:
        identity, size = _element(inside)
        if identity < 0 or size < 0:
            return b""
        payload = inside.read(min(size, 1024))
        if identity == _DOC_TYPE:
            return payload.rstrip(b"\0")


def _open_element(file: BinaryIO, wanted: int) -> int:
    """The size of the element that comes next, an unknown one large; -1 for another element."""
    identity, size = _element(file)
    if identity != wanted:
        return -1
    return size if size >= 0 else 2**62


def _element(file: BinaryIO) -> tuple[int, int]:
    """Id and size; -1 for an id that is none (at the file's end, too) and for an unknown size."""
    identity, _ = _number(file, keep_mark=True)
    size, is_unknown = _number(file, keep_mark=False)
    return identity, -1 if is_unknown else size


def _number(file: BinaryIO, *, keep_mark: bool) -> tuple[int, bool]:
    first = file.read(1)
    if not first or not first[0]:
        return -1, True
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    if len(rest) < width - 1:
        return -1, True
    value = int.from_bytes(first + rest, "big")
    payload = value & ((1 << (7 * width)) - 1)
    return (value if keep_mark else payload), payload == (1 << (7 * width)) - 1
