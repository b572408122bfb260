"""The piped file reads like a file, in whatever order, and forgets what is old."""

import io

from hypothesis import given
from hypothesis import strategies as st

from headwater.media import stream_source
from headwater.media.stream_source import BLOCK_BYTES, MAX_BLOCKS, PipedFile

CONTENT = bytes(i * 7 % 251 for i in range(3 * BLOCK_BYTES + 100))


@given(st.lists(st.tuples(st.integers(0, len(CONTENT) + 50), st.integers(0, 200_000)), max_size=20))
def test_reads_anywhere_are_the_very_bytes(reads: list[tuple[int, int]]) -> None:
    file = PipedFile(len(CONTENT), lambda start, length: CONTENT[start : start + length])
    for start, size in reads:
        file.seek(start)
        got = file.read(size)
        assert CONTENT[start : start + len(got)] == got
        assert bool(got) == (start < len(CONTENT) and size > 0)
        assert file.tell() == start + len(got)


def test_the_end_is_a_place_to_seek_from() -> None:
    file = PipedFile(len(CONTENT), lambda start, length: CONTENT[start : start + length])
    assert file.seek(-10, io.SEEK_END) == len(CONTENT) - 10
    assert file.read() == CONTENT[-10:]
    assert file.read() == b""


def test_blocks_are_fetched_once_and_remembered_up_to_the_bound() -> None:
    fetched: list[int] = []

    def fetch(start: int, length: int) -> bytes:
        fetched.append(start)
        return bytes(length)

    file = PipedFile((MAX_BLOCKS + 5) * BLOCK_BYTES, fetch)
    for _ in range(2):
        file.seek(0)
        file.read(10)
    assert fetched == [0]
    while file.read(BLOCK_BYTES):
        pass
    assert len(file._blocks) == stream_source.MAX_BLOCKS
