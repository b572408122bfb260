"""Subtitles out of real files and from beside them."""

import shutil
from pathlib import Path

import pytest
from media_samples import sample

from headwater.media.subtitles import MAX_TEXT_BYTES, beside, subtitles

SRT = "1\n00:00:00,500 --> 00:00:01,500\nGrüße\n"
VTT = b"WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nGr\xc3\xbc\xc3\x9fe\n"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    shutil.copy(sample("mp4"), tmp_path / "film.mp4")
    return tmp_path / "film.mp4"


def test_tracks_inside_the_file() -> None:
    (track,) = subtitles(sample("mkv with subtitles"))
    assert track.webvtt == (
        b"WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nHello <i>you</i>\n"
        b"\n00:00:02.000 --> 00:00:02.900\nTwo\nlines\n"
    )
    assert track.label == "Subtitles"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_files_beside_it_in_any_usual_encoding(film: Path, encoding: str) -> None:
    film.with_suffix(".srt").write_bytes(SRT.encode(encoding))
    (track,) = subtitles(film)
    assert track.webvtt == VTT


def test_languages_are_told_by_the_names(film: Path) -> None:
    for name in ("film.en.srt", "film.pt-BR.forced.srt", "film.srt", "other.de.srt", "film2.srt"):
        film.with_name(name).write_text(SRT)
    assert [(track.language, track.label) for track in subtitles(film)] == [
        ("en", "en"),
        ("pt-BR", "pt-BR forced"),
        ("", "Subtitles"),
    ]


def test_a_link_beside_it_is_not_followed(film: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SRT)
    film.with_suffix(".srt").symlink_to(secret)
    assert beside(film) == [film.with_suffix(".srt")]
    assert subtitles(film) == []


@pytest.mark.parametrize("payload", [b"", b"no subtitles", b"\xff\xfe\x00", b"\0" * 5000])
def test_what_makes_no_sense_is_left_out(film: Path, payload: bytes) -> None:
    film.with_suffix(".srt").write_bytes(payload)
    assert subtitles(film) == []


def test_a_huge_file_is_left_out(film: Path) -> None:
    film.with_suffix(".srt").write_bytes(SRT.encode() * (MAX_TEXT_BYTES // 30))
    assert subtitles(film) == []
