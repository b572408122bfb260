"""Sizes, rates and times as people write and read them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.cli import units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("500", 500),
        ("500k", 500_000),
        ("20MB", 20_000_000),
        ("20 mb", 20_000_000),
        ("5M", 5_000_000),
        ("1.5G", 1_500_000_000),
        ("1MiB", 1_048_576),
        ("2T", 2_000_000_000_000),
        ("20MB/s", 20_000_000),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, expected: int) -> None:
    assert units.parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "MB", "-5M", "1e6", "20 Mbit", "5,5M", "٣M", "1.M"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write it as 500k"):
        units.parse_size(text)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert units.parse_size(text) >= 0


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (999.6, "1.0 kB"),
        (1_000, "1.0 kB"),
        (9_960, "10 kB"),
        (1_340_000, "1.3 MB"),
        (999_600_000, "1.0 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes_are_told_in_three_digits(size_bytes: float, expected: str) -> None:
    assert units.size(size_bytes) == expected


def test_durations_are_told_as_a_player_does() -> None:
    assert [units.duration(s) for s in (0.4, 7, 59.6, 725, 3753)] == [
        "0:00",
        "0:07",
        "1:00",
        "12:05",
        "1:02:33",
    ]


def test_ages_are_told_in_the_one_unit_that_says_most() -> None:
    assert [units.ago(s) for s in (3, 119, 720, 5 * 3600, 3 * 86400)] == [
        "3 s",
        "119 s",
        "12 min",
        "5 h",
        "3 days",
    ]


def test_no_rate_is_no_number() -> None:
    assert units.rate(0) == "-"
    assert units.rate(2_500_000) == "2.5 MB/s"
