"""fMP4 fragments, with decode times that are ours to say. Pure. Source: ISO/IEC 14496-12.

A muxer that starts in the middle of a video would renumber its timestamps or shift them by an edit
list. Here every fragment carries the time of its first sample, whichever was asked for first.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Sample", "Track", "boxes", "fragment", "in_decode_order", "length_prefixed"]

_DEFAULT_BASE_IS_MOOF = 0x020000
_TRUN_FLAGS = 0x000001 | 0x000100 | 0x000200 | 0x000400 | 0x000800
_MOST = 2**31 - 1
"""Ticks that a field holds; a damaged file may claim to pause for years."""
_KEY, _NOT_KEY = 0x02000000, 0x01010000


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded frame. Units: ticks of its track."""

    pts: int
    payload: bytes
    is_key: bool = True


@dataclass(frozen=True, slots=True)
class Track:
    """What one track has in a fragment. Shape: samples in decode order; `end` is where the next
    fragment of this track begins, in ticks."""

    number: int
    samples: Sequence[Sample]
    end: int


def in_decode_order(samples: Sequence[Sample]) -> list[int]:
    """A decode time for each sample: the presentation times in ascending order.

    So a keyframe is decoded when it is shown, what is shown before it is decoded gets a negative
    offset, and times go on without a seam from one fragment to the next.
    """
    return sorted(sample.pts for sample in samples)


def fragment(number: int, tracks: Sequence[Track]) -> bytes:
    """`moof` and `mdat` of these tracks; a track without samples is left out."""
    tracks = [track for track in tracks if track.samples]
    head = _moof(number, tracks, 0)
    payload = b"".join(sample.payload for track in tracks for sample in track.samples)
    return _moof(number, tracks, len(head) + 8) + _box(b"mdat", payload)


def _moof(number: int, tracks: Sequence[Track], first_offset: int) -> bytes:
    offset, trafs = first_offset, []
    for track in tracks:
        trafs.append(_traf(track, offset))
        offset += sum(len(sample.payload) for sample in track.samples)
    return _box(b"moof", _box(b"mfhd", struct.pack(">II", 0, number + 1)), *trafs)


def _traf(track: Track, offset: int) -> bytes:
    decoded = in_decode_order(track.samples)
    ends = [*decoded[1:], max(track.end, decoded[-1] + 1)]
    rows = b"".join(
        struct.pack(
            ">IIIi",
            min(end - at, _MOST),
            len(s.payload),
            _KEY if s.is_key else _NOT_KEY,
            max(-_MOST, min(s.pts - at, _MOST)),
        )
        for s, at, end in zip(track.samples, decoded, ends, strict=True)
    )
    trun = struct.pack(">IIi", 0x01000000 | _TRUN_FLAGS, len(track.samples), offset)
    return _box(
        b"traf",
        _box(b"tfhd", struct.pack(">II", _DEFAULT_BASE_IS_MOOF, track.number)),
        _box(b"tfdt", struct.pack(">IQ", 0x01000000, decoded[0])),
        _box(b"trun", trun, rows),
    )


def _box(kind: bytes, *parts: bytes) -> bytes:
    size = 8 + sum(map(len, parts))
    return b"".join((struct.pack(">I4s", size, kind), *parts))


def boxes(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of each box at the top level."""
    at = 0
    while at + 8 <= len(raw):
        size, kind = struct.unpack_from(">I4s", raw, at)
        yield kind, raw[at + 8 : at + size]
        at += max(size, 8)


def length_prefixed(annex_b: bytes) -> bytes:
    """H.264 as MP4 wants it: each NAL unit after its length instead of a start code."""
    marks = []
    at = annex_b.find(b"\0\0\1")
    while at >= 0:
        marks.append(at)
        at = annex_b.find(b"\0\0\1", at + 3)
    units = []
    for start, end in pairwise([*marks, len(annex_b)]):
        unit = annex_b[start + 3 : end].rstrip(b"\0")  # zeros belong to the next start code
        units.append(struct.pack(">I", len(unit)) + unit)
    return b"".join(units)
