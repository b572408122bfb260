"""How a file is cut into blocks and pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import RemoteProtocolError
from headwater.store.shape import VideoShape, piece_bytes_for

MIB = 2**20
shapes = st.builds(
    VideoShape, st.integers(1, 2**40), st.integers(14, 24).map(lambda power: 1 << power)
)


@given(shape=shapes)
def test_blocks_and_pieces_cover_the_file_exactly(shape: VideoShape) -> None:
    assert shape.span(0, shape.blocks) == (0, shape.size_bytes)
    last = shape.pieces - 1
    assert shape.blocks_of(last).stop == shape.blocks
    assert shape.piece_of(shape.blocks - 1) == last
    assert shape.blocks_of(0).start == 0


@given(shape=shapes, at=st.floats(0, 1), length=st.integers(1, 10 * MIB))
def test_the_blocks_of_a_byte_range_hold_it(shape: VideoShape, at: float, length: int) -> None:
    start = int(at * (shape.size_bytes - 1))
    blocks = shape.blocks_for(start, length)
    offset, held = shape.span(blocks.start, len(blocks))
    assert offset <= start
    assert offset + held >= min(start + length, shape.size_bytes)
    assert start - offset < 16384


@pytest.mark.parametrize(("size_bytes", "piece_bytes"), [(0, 16384), (1, 8192), (1, 20_000)])
def test_impossible_shapes_are_refused(size_bytes: int, piece_bytes: int) -> None:
    with pytest.raises(RemoteProtocolError):
        VideoShape(size_bytes, piece_bytes)


def test_piece_sizes_grow_with_the_file_within_limits() -> None:
    sizes = [1, 512 * MIB, 512 * MIB + 1, 8192 * MIB, 100_000 * MIB]
    assert [piece_bytes_for(size) // 1024 for size in sizes] == [256, 256, 512, 4096, 4096]
