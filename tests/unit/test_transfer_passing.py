"""Videos that only pass through memory."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import NotFound
from headwater.store.shape import VideoShape
from headwater.transfer.passing import PassingVideo
from headwater.wire.ids import BLOCK_BYTES, VideoId

SHAPE = VideoShape(50 * BLOCK_BYTES + 7, 256 * 1024)
CONTENT = os.urandom(SHAPE.size_bytes)


def passing(window_blocks: int) -> PassingVideo:
    window_bytes = window_blocks * BLOCK_BYTES
    return PassingVideo(VideoId(bytes(32)), SHAPE, bytes(32), window_bytes=window_bytes)


def put(video: PassingVideo, first: int, count: int) -> None:
    start, length = SHAPE.span(first, count)
    video.write(first, CONTENT[start : start + length], bytes(32 * count))


@given(writes=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 8)), max_size=30))
def test_never_more_than_the_window_and_always_the_right_bytes(
    writes: list[tuple[int, int]],
) -> None:
    video = passing(10)
    for first, count in writes:
        put(video, first, min(count, SHAPE.blocks - first))
        assert video.have_blocks <= 10
    for block in range(SHAPE.blocks):
        start, length = SHAPE.span(block, 1)
        if video.has(block, 1):
            assert video.verified_read(block, 1) == CONTENT[start : start + length]


def test_what_was_read_lately_stays_longest() -> None:
    video = passing(4)
    put(video, 0, 4)
    video.verified_read(0, 1)
    put(video, 10, 1)
    assert video.has(0, 1) and not video.has(1, 1)
    assert video.missing(0, 4) == [range(1, 2)]


def test_what_has_gone_is_told() -> None:
    video = passing(2)
    put(video, 0, 3)
    with pytest.raises(NotFound):
        video.verified_read(0, 3)
