"""Fragments: times, sizes and offsets as a player reads them back."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from headwater.media.hls_boxes import Sample, Track, boxes, fragment, length_prefixed


def rows(segment: bytes) -> list[tuple[int, list[tuple[int, int, int, int]], bytes]]:
    """(first decode time, [(duration, size, flags, offset)], payload) of each track."""
    parts = dict(boxes(segment))
    found = []
    for kind, traf in boxes(parts[b"moof"]):
        if kind != b"traf":
            continue
        inner = dict(boxes(traf))
        (first,) = struct.unpack(">Q", inner[b"tfdt"][4:])
        count, offset = struct.unpack(">Ii", inner[b"trun"][4:12])
        table = [struct.unpack_from(">IIIi", inner[b"trun"], 12 + 16 * n) for n in range(count)]
        size = sum(row[1] for row in table)
        found.append((first, table, segment[offset : offset + size]))
    return found


TIMES = st.lists(st.integers(0, 2**30), min_size=1, max_size=20, unique=True)


@given(TIMES, st.integers(0, 2**30))
def test_each_picture_is_shown_when_it_should_be(times: list[int], end: int) -> None:
    samples = [Sample(pts, struct.pack(">Q", pts), n == 0) for n, pts in enumerate(times)]
    ((at, table, payload),) = rows(fragment(3, [Track(1, samples, end)]))
    assert payload == b"".join(s.payload for s in samples)
    for pts, (duration, size, _, offset) in zip(times, table, strict=True):
        assert (at + offset, size) == (pts, 8)
        at += duration
    assert at == max(end, max(times) + 1)


def test_what_comes_in_order_is_decoded_when_it_is_shown() -> None:
    samples = [Sample(pts, b"x") for pts in (100, 140, 180)]
    ((first, table, _),) = rows(fragment(0, [Track(1, samples, 220)]))
    assert first == 100 and [(row[0], row[3]) for row in table] == [(40, 0)] * 3


def test_absurd_times_do_not_break_the_boxes() -> None:
    samples = [Sample(2**50, b"x"), Sample(0, b"y", is_key=False)]
    ((first, table, _),) = rows(fragment(0, [Track(1, samples, 2**60)]))
    assert first == 0 and all(0 < row[0] < 2**31 for row in table)


def test_each_track_finds_its_own_bytes_and_empty_ones_are_left_out() -> None:
    picture = Track(1, [Sample(0, b"picture")], 10)
    sound = Track(2, [Sample(0, b"so"), Sample(5, b"und")], 10)
    found = rows(fragment(0, [picture, Track(3, [], 0), sound]))
    assert [payload for _, _, payload in found] == [b"picture", b"sound"]


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=5), st.booleans())
def test_start_codes_become_lengths(units: list[bytes], is_long: bool) -> None:
    clean = [unit.replace(b"\0", b"\1") for unit in units]
    code = b"\0\0\0\1" if is_long else b"\0\0\1"
    expected = b"".join(struct.pack(">I", len(unit)) + unit for unit in clean)
    assert length_prefixed(b"".join(code + unit for unit in clean)) == expected
