"""Puts what a viewer recorded of a live into the recording that its publisher signed, where it
belongs: what was missed is then all that has to be fetched."""

from bisect import bisect_right
from collections.abc import Sequence

from headwater.live.segment import Segment
from headwater.store.stored_video import StoredVideo
from headwater.store.torrent import Torrent
from headwater.transfer.proof import leaf_hashes, verify_in_layer
from headwater.wire.groups import Group
from headwater.wire.live import PartInfo

__all__ = ["Span", "place", "spans_of"]


class Span:
    """Bytes [start, end) of the recording are those from `at` on in a segment."""

    __slots__ = ("at", "end", "segment", "start")

    def __init__(self, start: int, end: int, segment: Segment, at: int) -> None:
        self.start, self.end, self.segment, self.at = start, end, segment, at


def spans_of(
    groups: Sequence[Group], segments: Sequence[tuple[Segment, Sequence[PartInfo]]]
) -> list[Span]:
    """Where what is in the segments lies in a recording of these groups, in order.

    A part's place is known when all before it in its group are here as well."""
    starts = [group.seq for group in groups]
    spans: list[Span] = []
    for segment, parts in segments:
        at, expected, place = 0, -1, 0
        for info in parts:
            found = bisect_right(starts, info.seq) - 1
            if found >= 0 and starts[found] == info.seq:
                expected, place = info.seq, groups[found].offset
            if info.seq == expected:
                _add(spans, Span(place, place + info.size_bytes, segment, at))
                expected, place = info.seq + 1, place + info.size_bytes
            at += info.size_bytes
    return spans


def _add(spans: list[Span], span: Span) -> None:
    last = spans[-1] if spans else None
    is_next = last is not None and last.segment is span.segment and last.end == span.start
    if last is not None and is_next and last.at + last.end - last.start == span.at:
        last.end = span.end
    else:
        spans.append(span)


def place(stored: StoredVideo, torrent: Torrent, spans: Sequence[Span]) -> int:
    """Write the pieces that are whole here and prove right; how many those were. Blocks.

    Raises: StorageFull."""
    shape, placed = stored.shape, 0
    for piece in range(shape.pieces):
        blocks = shape.blocks_of(piece)
        first, count = blocks.start, len(blocks)
        payload = _bytes_of(spans, *shape.span(first, count))
        if payload is None:
            continue
        leaves = leaf_hashes(payload)
        if verify_in_layer(shape, torrent.layer, first, leaves, b""):
            stored.write(first, payload, leaves)
            placed += 1
    return placed


def _bytes_of(spans: Sequence[Span], start: int, length: int) -> bytes | None:
    chunks: list[bytes] = []
    for span in spans:
        if length and span.start <= start < span.end:
            size = min(length, span.end - start)
            chunk = span.segment.payload(span.at + start - span.start, size)
            if len(chunk) != size:
                return None
            chunks.append(chunk)
            start, length = start + size, length - size
    return None if length else b"".join(chunks)
