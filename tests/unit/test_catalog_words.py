"""Folding and queries: any text in, a well-formed FTS5 query out."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from headwater.catalog.words import MAX_WORDS, fold, match_query, spread


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold(text)
    assert once == " ".join(once.split())
    assert "\0" not in once
    once.encode()


@given(
    st.text(max_size=200)
    | st.text(st.sampled_from("abc東京\"'*^:(){}-+ANDORNEAR \0\ud800é"), max_size=40)
)
def test_any_text_makes_a_query_that_sqlite_reads(text: str) -> None:
    query = match_query(text)
    if not query:
        return
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    database.execute("SELECT * FROM words WHERE words MATCH ?", (query,)).fetchall()
    database.close()


def test_signs_of_unspaced_scripts_are_set_apart_and_others_left_alone() -> None:
    assert spread("東京tower 夜") == "東 京 tower 夜"
    assert spread("one two") == "one two"


def test_folding_reads_through_forms() -> None:
    full_width = "".join(chr(ord(letter) + 0xFEE0) for letter in "FULL")
    assert fold(f"  {full_width}\u3000Width\t\ufb01lm ") == "full width film"
    assert fold("Straße") == "strasse"


def test_a_query_is_bounded() -> None:
    assert match_query("word " * 1000).count("AND") == MAX_WORDS - 1
    assert len(match_query("w" * 10_000)) < 500


def test_what_holds_no_letter_makes_no_query() -> None:
    assert match_query("") == match_query(' "*" -- !?') == match_query("🎬") == ""
