"""What the probe says of real files of every kind."""

from pathlib import Path

import pytest
from media_samples import SMALL, sample

from headwater.errors import MediaError, NotFound
from headwater.media.probe import probe
from headwater.media.recording import Plays


@pytest.mark.parametrize(
    ("kind", "media_type", "codecs", "plays", "in_front"),
    [
        ("mp4", "video/mp4", ("h264", "aac"), "direct", True),
        ("index at end", "video/mp4", ("h264", "aac"), "direct", False),
        ("fragmented", "video/mp4", ("h264", "aac"), "direct", False),
        ("quicktime", "video/quicktime", ("h264", "aac"), "remux", True),
        ("mkv", "video/x-matroska", ("h264", "aac"), "remux", True),
        ("mkv with ac3", "video/x-matroska", ("h264", "ac3"), "transcode", True),
        ("vp9", "video/webm", ("vp9", "opus"), "direct", True),
        ("vp9, cues at end", "video/webm", ("vp9", "opus"), "direct", False),
        ("vp8", "video/webm", ("vp8", "opus"), "direct", True),
        ("hevc", "video/mp4", ("hevc", "aac"), "transcode", True),
        ("ten bits", "video/mp4", ("h264", "aac"), "transcode", True),
        ("mpeg2", "video/mp2t", ("mpeg2video", "mp3"), "transcode", True),
        ("mpeg4", "video/x-msvideo", ("mpeg4", "mp3"), "transcode", True),
        ("ts", "video/mp2t", ("h264", "aac"), "remux", True),
        ("flv", "video/x-flv", ("h264", "aac"), "remux", True),
        ("silent", "video/mp4", ("h264",), "direct", True),
        ("mp3", "audio/mpeg", ("mp3",), "direct", True),
        ("m4a", "audio/mp4", ("aac",), "direct", True),
    ],
)
def test_every_kind(
    kind: str, media_type: str, codecs: tuple[str, ...], plays: Plays, in_front: bool
) -> None:
    found = probe(sample(kind))
    assert (found.media_type, found.codecs) == (media_type, codecs)
    assert (found.plays, found.index_in_front) == (plays, in_front)
    assert 2900 <= found.duration_ms <= 3200
    is_video = media_type.startswith("video/")
    assert (found.width, found.height) == (SMALL if is_video else (0, 0))
    assert found.bitrate_bps > 10_000


def test_a_turned_video_is_told_as_it_is_seen() -> None:
    found = probe(sample("turned"))
    assert (found.width, found.height) == (180, 320)


def test_text_tracks_are_listed() -> None:
    (track,) = probe(sample("mkv with subtitles")).subtitles
    assert track.codec in ("subrip", "srt")


def test_a_file_that_is_cut_off_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(sample("index at end").read_bytes()[:20_000])
    with pytest.raises(MediaError, match=r"cut\.mp4 cannot be read as a video"):
        probe(path)


@pytest.mark.parametrize("offset", [600, 5000, 40_000])
def test_damage_never_raises_anything_else(tmp_path: Path, offset: int) -> None:
    path = tmp_path / "bad.mp4"
    raw = bytearray(sample("mp4").read_bytes())
    raw[offset : offset + 400] = b"\xff" * 400
    path.write_bytes(raw)
    try:
        probe(path)
    except MediaError as error:
        assert "bad.mp4" in str(error)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(NotFound, match="No such file"):
        probe(Path("/nowhere/film.mp4"))


def test_a_text_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("Dear all,\n")
    with pytest.raises(MediaError, match=r"notes\.mp4 is no recording"):
        probe(tmp_path / "notes.mp4")
