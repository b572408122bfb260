"""Byte ranges: every header gets what RFC 9110 says, and none gets more than the file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.web.gateway.ranges import Part, Plan, Unsatisfiable, Whole, plan

TAG = '"aa"'


def ask(header: str | None, size: int = 1000, if_range: str | None = None) -> Plan:
    return plan(header, size, if_range=if_range, etag=TAG)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Whole()),
        ("bytes=0-499", Part(0, 500)),
        ("bytes=500-", Part(500, 1000)),
        ("bytes=0-", Part(0, 1000)),
        ("bytes=-500", Part(500, 1000)),
        ("bytes=-5000", Part(0, 1000)),
        ("bytes=999-999", Part(999, 1000)),
        ("bytes=500-5000", Part(500, 1000)),
        ("BYTES=0-0", Part(0, 1)),
        ("bytes=1000-", Unsatisfiable()),
        ("bytes=1000-2000", Unsatisfiable()),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=5-4", Whole()),
        ("bytes=", Whole()),
        ("bytes=-", Whole()),
        ("bytes=a-b", Whole()),
        ("bytes=0x1-", Whole()),
        ("bytes=+1-2", Whole()),
        ("bytes=1 - 2", Whole()),
        ("bytes=\u0661-\u0662", Whole()),
        ("bytes", Whole()),
        ("items=0-1", Whole()),
        ("bytes=" + "9" * 100 + "-", Whole()),
    ],
)
def test_a_single_range(header: str | None, expected: Plan) -> None:
    assert ask(header) == expected


def test_several_ranges_get_the_whole_file_unless_only_one_can_be_satisfied() -> None:
    assert ask("bytes=0-1, 5-6") == Whole()
    assert ask("bytes=0-1,2000-3000") == Part(0, 2)
    assert ask("bytes=,0-1,") == Part(0, 2)
    assert ask("bytes=2000-,3000-") == Unsatisfiable()
    assert ask("bytes=" + "0-," * 100_000) == Whole()


def test_if_range_asks_for_the_part_only_of_the_same_bytes() -> None:
    assert ask("bytes=0-1", if_range=TAG) == Part(0, 2)
    assert ask("bytes=0-1", if_range='"bb"') == Whole()
    assert ask("bytes=0-1", if_range=f"W/{TAG}") == Whole()
    assert ask("bytes=0-1", if_range="Wed, 21 Oct 2015 07:28:00 GMT") == Whole()
    assert ask("bytes=5000-", if_range='"bb"') == Whole()


@given(st.text(max_size=80), st.integers(1, 2**50))
def test_no_header_makes_a_range_outside_the_file(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        answer = ask(text, size)
        if isinstance(answer, Part):
            assert 0 <= answer.start < answer.end <= size


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(1, 2000))
def test_a_range_is_the_same_slice_that_python_takes(first: int, last: int, size: int) -> None:
    content = bytes(i % 251 for i in range(size))
    answer = ask(f"bytes={first}-{last}", size)
    if last < first:
        assert answer == Whole()
    elif first >= size:
        assert answer == Unsatisfiable()
    else:
        assert isinstance(answer, Part)
        assert content[answer.start : answer.end] == content[first : last + 1]


@given(st.integers(1, 3000), st.integers(1, 2000))
def test_a_suffix_is_the_end_of_the_file(count: int, size: int) -> None:
    assert ask(f"bytes=-{count}", size) == Part(max(0, size - count), size)
