"""Subtitles of any make become WebVTT that can do no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.media.captions import (
    MAX_CUES,
    Cue,
    ass_text,
    clean_text,
    parse_captions,
    read_text,
    to_webvtt,
)

SRT = """1
00:00:01,000 --> 00:00:02,500
Good <i>morning</i>
everyone

2
00:01:00,000 --> 00:01:01,000
{not} <font color="red">red</font>
"""
VTT = """WEBVTT - a title

NOTE nobody sees this

intro
00:01.000 --> 00:02.500 align:start
Good <i>morning</i>
everyone

01:00.000 --> 01:01.000
<v Anna>Hello & goodbye
"""
ASS = """[Script Info]
Title: x

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\an8}Good {\\i1}morning{\\i0}\\Neveryone
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0{\\p0}
Comment: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,not shown
"""
MORNING = Cue(1000, 2500, "Good <i>morning</i>\neveryone")


def test_srt() -> None:
    assert parse_captions(SRT) == [MORNING, Cue(60_000, 61_000, "{not} red")]


def test_webvtt() -> None:
    assert parse_captions(VTT) == [MORNING, Cue(60_000, 61_000, "Hello &amp; goodbye")]


def test_ass_without_its_drawings() -> None:
    assert [cue for cue in parse_captions(ASS) if cue.text] == [MORNING]


def test_line_ends_of_other_systems() -> None:
    assert parse_captions(SRT.replace("\n", "\r\n")) == parse_captions(SRT)
    assert parse_captions(SRT.replace("\n", "\r")) == parse_captions(SRT)


def test_the_file_that_comes_out() -> None:
    assert to_webvtt([MORNING]) == (
        b"WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nGood <i>morning</i>\neveryone\n"
    )


def test_an_event_may_hold_commas() -> None:
    assert ass_text("0,0,Default,,0,0,0,,Well, well, well") == "Well, well, well"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<script>alert(1)</script>", "alert(1)"),
        ("<b onclick=x>bold</b>", "<b>bold</b>"),
        ("1 < 2", "1 &lt; 2"),
        ("a --> b", "a --&gt; b"),
        ("fish &amp; chips", "fish &amp; chips"),
        ("one\n\n\ntwo", "one\ntwo"),
    ],
)
def test_text_cannot_break_out_of_its_cue(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_usual_encodings(encoding: str) -> None:
    assert read_text("Grüße für René".encode(encoding)) == "Grüße für René"


def test_cues_are_bounded() -> None:
    cues = [Cue(n * 1000, n * 1000 + 500, "x") for n in range(MAX_CUES + 10)]
    assert to_webvtt(cues).count(b"-->") == MAX_CUES


@given(st.text())
def test_no_text_makes_it_fail_or_forges_a_cue(text: str) -> None:
    cues = parse_captions(text)
    blocks = to_webvtt([Cue(0, 1000, clean_text(text)), *cues]).decode()
    shown = sum(1 for cue in cues if cue.end_ms > cue.start_ms and cue.text.strip())
    assert blocks.count(" --> ") <= shown + 1


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10_000), st.text("abc ", min_size=1)))
)
def test_what_was_written_reads_back(cues: list[tuple[int, int, str]]) -> None:
    written = [Cue(start, start + length, clean_text(text)) for start, length, text in cues]
    shown = sorted((c for c in written if c.text.strip()), key=lambda c: (c.start_ms, c.end_ms))
    assert parse_captions(to_webvtt(shown).decode()) == shown


@given(st.binary(max_size=200))
def test_any_bytes_are_text(raw: bytes) -> None:
    parse_captions(read_text(raw))
