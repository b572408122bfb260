"""The bitmap against a set of numbers."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.store.bitmap import Bitmap

SIZE = 77
spans = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(
    lambda ends: (min(ends), max(ends) - min(ends))
)
changes = st.lists(st.tuples(st.booleans(), spans), max_size=12)


def apply(steps: list[tuple[bool, tuple[int, int]]]) -> tuple[Bitmap, set[int]]:
    bitmap, model = Bitmap(SIZE), set[int]()
    for is_adding, (first, count) in steps:
        span = set(range(first, first + count))
        if is_adding:
            assert bitmap.add(first, count) == len(span - model)
            model |= span
        else:
            assert bitmap.discard(first, count) == len(span & model)
            model -= span
    return bitmap, model


@given(steps=changes, span=spans)
def test_it_answers_as_a_set_does(
    steps: list[tuple[bool, tuple[int, int]]], span: tuple[int, int]
) -> None:
    bitmap, model = apply(steps)
    first, count = span
    wanted = range(first, first + count)
    missing = bitmap.missing(first, count)
    assert [i for gap in missing for i in gap] == [i for i in wanted if i not in model]
    assert all(a.stop < b.start for a, b in itertools.pairwise(missing))
    assert bitmap.has(first, count) == all(i in model for i in wanted)
    assert bitmap.count == len(model)


@given(steps=changes)
def test_its_bytes_bring_it_back(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    bitmap, model = apply(steps)
    raw = bitmap.to_bytes()
    assert [i for i in range(SIZE) if raw[i // 8] & 0x80 >> i % 8] == sorted(model)
    again = Bitmap(SIZE, raw)
    assert (again.to_bytes(), again.count) == (raw, len(model))


@given(steps=changes, span=spans)
def test_touched_bytes_patch_an_older_copy(
    steps: list[tuple[bool, tuple[int, int]]], span: tuple[int, int]
) -> None:
    bitmap, _ = apply(steps)
    copy = bytearray(bitmap.to_bytes())
    bitmap.add(*span)
    offset, content = bitmap.touched(*span)
    copy[offset : offset + len(content)] = content
    assert bytes(copy) == bitmap.to_bytes()


def test_gaps_in_millions_of_blocks_are_whole() -> None:
    size = 3_000_000
    bitmap = Bitmap(size)
    assert bitmap.missing(0, size) == [range(size)]
    bitmap.add(500_000, 1_000_000)
    assert bitmap.missing(7, size - 7) == [range(7, 500_000), range(1_500_000, size)]


def test_odd_raw_bytes_are_cut_to_size() -> None:
    assert Bitmap(9, b"\xff\xff\xff").to_bytes() == b"\xff\x80"
    assert Bitmap(9, b"\x80").to_bytes() == b"\x80\0"
    assert Bitmap(16, b"").count == 0
    assert Bitmap.full(16).count == 16


@pytest.mark.parametrize("span", [(-1, 1), (0, 78), (77, 1), (5, -1)])
def test_ranges_outside_are_refused(span: tuple[int, int]) -> None:
    for bitmap in (Bitmap(SIZE), Bitmap.full(SIZE)):
        with pytest.raises(IndexError):
            bitmap.missing(*span)
