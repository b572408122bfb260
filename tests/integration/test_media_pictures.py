"""Posters and storyboards of real files."""

from pathlib import Path

import pytest
from media_samples import brightness, decode_jpeg, sample

from headwater.errors import MediaError
from headwater.lab.samples import make_video
from headwater.media.poster import MAX_BYTES, poster
from headwater.media.storyboard import MAX_TILES, storyboard


def no_report(done: int, total: int) -> None:
    """Nobody asks."""


@pytest.mark.parametrize("kind", ["mp4", "mkv", "vp9", "hevc", "ts", "mpeg4", "ten bits", "flv"])
def test_a_poster_of_every_kind(kind: str) -> None:
    picture = poster(sample(kind))
    frame = decode_jpeg(picture)
    assert (frame.width, frame.height) == (320, 180)
    assert len(picture) <= MAX_BYTES
    assert max(brightness(frame, 16, 9)) > 100


def test_a_large_picture_is_made_small(tmp_path: Path) -> None:
    video = make_video(tmp_path / "film.mp4", 1, size=(1280, 720), audio=None, picture="fractal")
    picture = poster(video)
    frame = decode_jpeg(picture)
    assert (frame.width, frame.height) == (640, 360)
    assert len(picture) <= MAX_BYTES


def test_a_turned_video_has_an_upright_poster() -> None:
    frame = decode_jpeg(poster(sample("turned")))
    assert (frame.width, frame.height) == (180, 320)


def test_black_at_the_beginning_is_passed_over(tmp_path: Path) -> None:
    """The first half is black; a tenth of the way in would show nothing."""
    video = make_video(
        tmp_path / "film.mp4", 8, size=(320, 180), audio=None, picture="late", keyframe_every_s=1
    )
    shown = brightness(decode_jpeg(poster(video)), 16, 9)
    assert sum(value > 40 for value in shown) > len(shown) / 2


def test_music_without_a_cover_has_no_poster() -> None:
    with pytest.raises(MediaError, match="no picture"):
        poster(sample("mp3"))
    assert storyboard(no_report, sample("mp3")) is None


def test_a_storyboard_shows_each_time_at_its_place(tmp_path: Path) -> None:
    video = make_video(
        tmp_path / "film.mp4", 24, size=(320, 180), audio=None, picture="plain", keyframe_every_s=1
    )
    board = storyboard(no_report, video)
    assert board is not None
    assert (board.columns, board.rows, board.step_ms) == (10, 2, 2000)
    frame = decode_jpeg(board.picture)
    assert (frame.width, frame.height) == (1600, 180)
    shown = brightness(frame, 200, 30)  # 20 x 15 values a tile; the counters differ
    tiles = {
        tuple(shown[(row * 15 + y) * 200 + column * 20 + x] for y in range(15) for x in range(20))
        for row in range(2)
        for column in range(10)
    }
    assert len(tiles) >= 12


def test_tiles_are_bounded_and_reported(tmp_path: Path) -> None:
    video = make_video(
        tmp_path / "film.mp4", 8, size=(64, 36), audio=None, picture="plain", repeats=60
    )
    told: list[tuple[int, int]] = []
    board = storyboard(lambda *at: told.append(at), video)
    assert board is not None
    assert (board.columns, board.rows) == (10, 10)
    assert board.step_ms * MAX_TILES >= 480_000
    assert told[-1] == (100, 100)


def test_a_very_short_video_has_nothing_to_scrub() -> None:
    assert storyboard(no_report, sample("mp4")) is None
