"""Names of uploads: whatever comes, a file name in one folder comes out, or a refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import LocalUsageError
from headwater.node.shares_names import free_name, safe_name
from headwater.store.torrent import check_file_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("holiday.mp4", "holiday.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\videos\\holiday.mp4", "holiday.mp4"),
        ("/absolute/holiday.mp4", "holiday.mp4"),
        ("a\0b.mp4", "ab.mp4"),
        ("line\nbreak.mp4", "linebreak.mp4"),
        (".hidden.mp4", "hidden.mp4"),
        ("con.mp4", "_con.mp4"),
        ("LPT1", "_LPT1"),
        ("what? when: who.mp4", "what_ when_ who.mp4"),
        ("trailing. ", "trailing"),
        ("ホームビデオ.mp4", "ホームビデオ.mp4"),
        ("видео 🎬.webm", "видео 🎬.webm"),
        ("e\u0301te\u0301.mp4", "été.mp4"),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["", ".", "..", "/", "...", " ", "a/..", "\0", "\n\r", "._. "])
def test_a_name_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(LocalUsageError, match="rename it"):
        safe_name(name)


@given(st.text(max_size=400))
def test_every_name_is_safe_or_refused(name: str) -> None:
    try:
        safe = safe_name(name)
    except LocalUsageError:
        return
    check_file_name(safe)
    assert len(safe.encode()) <= 244
    assert safe_name(safe) == safe


def test_a_long_name_keeps_its_ending() -> None:
    safe = safe_name("ä" * 300 + ".mp4")
    assert safe.endswith("ä.mp4")
    assert len(safe.encode()) <= 240


@given(st.sets(st.sampled_from(["a.mp4", "a (2).mp4", "a (3).mp4"])))
def test_a_name_that_is_taken_gets_a_number(taken: set[str]) -> None:
    free = free_name("a.mp4", taken.__contains__)
    assert free not in taken
    assert free in ("a.mp4", "a (2).mp4", "a (3).mp4", "a (4).mp4")
