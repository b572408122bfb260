"""What a recording is called: one name, which everybody takes, whatever the live's title."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.live.recording import MAX_NAME_BYTES, file_name_of
from headwater.store.torrent import check_file_name
from headwater.wire.items import LiveEntry


def _live(title: str, media_type: str = "video/mp4") -> LiveEntry:
    return LiveEntry(1, bytes(32), bytes(32), title, bytes(32), media_type=media_type)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Derby", "Derby.mp4"),
        ("Us / them", "Us   them.mp4"),
        ("..", "live.mp4"),
        ("a.b.", "a.b.mp4"),
        ("été 東京", "été 東京.mp4"),
    ],
)
def test_it_is_named_after_the_live(title: str, name: str) -> None:
    assert file_name_of(_live(title)) == name


def test_pictures_are_no_mp4() -> None:
    assert file_name_of(_live("Derby", "image/jpeg")) == "Derby.mjpeg"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), max_size=300))
def test_every_title_makes_a_name(title: str) -> None:
    name = file_name_of(_live(title))
    check_file_name(name)
    assert len(name.encode()) <= MAX_NAME_BYTES + 6
