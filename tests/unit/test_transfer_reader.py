"""What a reader says that it will need next, while it reads."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import cast

from headwater.store.shape import VideoShape
from headwater.transfer.port import Blocks
from headwater.transfer.reader import (
    BEGIN_AHEAD_BLOCKS,
    FIRST_AHEAD_BLOCKS,
    STEP_BLOCKS,
    Reader,
)
from headwater.transfer.swarm import Swarm
from headwater.wire.ids import BLOCK_BYTES

BLOCKS = 1000


class Everything:
    """Blocks, swarm and schedule of a place where each block is there at once."""

    is_whole = False
    trouble = None

    def __init__(self, window_blocks: int | None = None) -> None:
        self.shape = VideoShape(BLOCKS * BLOCK_BYTES, 1 << 20)
        self.window_blocks = window_blocks
        self.wanted: list[tuple[int, int]] = []

    @property
    def schedule(self) -> "Everything":
        return self

    def missing(self, first: int, count: int) -> list[range]:
        return []

    def verified_read(self, first: int, count: int) -> bytes:
        return bytes(self.shape.span(first, count)[1])

    def want(self, reader: int, first: int, count: int) -> None:
        self.wanted.append((first, first + count))

    def unwant(self, reader: int) -> None: ...

    def wake(self) -> None: ...

    def fresh(self, block: int) -> bytes | None:
        return bytes(4 * BLOCK_BYTES)


class Here:
    """A place."""

    def __init__(self, everything: Everything) -> None:
        self._everything = everything

    def blocks(self) -> Blocks:
        return cast(Blocks, self._everything)

    def swarm(self, blocks: Blocks) -> Swarm:
        return cast(Swarm, self._everything)

    def is_taken_back(self) -> bool:
        return False

    def in_use(self) -> AbstractContextManager[None]:
        return nullcontext()


def _wanted(everything: Everything, start: int) -> list[tuple[int, int]]:
    """Stretches of blocks, while all is read from there on."""

    async def run() -> None:
        reader = Reader(Here(everything), "video/mp4", 0, {})
        size = everything.shape.size_bytes
        got = [len(chunk) async for chunk in reader.read(start, size - start)]
        assert sum(got) == size - start

    asyncio.run(run())
    return everything.wanted


def test_it_looks_ahead_a_little_at_first_and_then_as_far_as_it_has_read() -> None:
    wanted = _wanted(Everything(), 101 * BLOCK_BYTES)
    first, end = wanted[0]
    assert FIRST_AHEAD_BLOCKS <= end - first < FIRST_AHEAD_BLOCKS + STEP_BLOCKS
    far = [end - first for first, end in wanted if end < BLOCKS]
    assert max(far) > 4 * FIRST_AHEAD_BLOCKS


def test_where_a_file_begins_it_looks_further_for_there_the_index_is() -> None:
    first, end = _wanted(Everything(), 0)[0]
    assert BEGIN_AHEAD_BLOCKS <= end - first < BEGIN_AHEAD_BLOCKS + STEP_BLOCKS


def test_what_it_looks_ahead_at_moves_on_in_whole_steps_and_ends_with_the_video() -> None:
    ends = {end for _, end in _wanted(Everything(), 101 * BLOCK_BYTES)}
    assert max(ends) == BLOCKS
    assert all(end % STEP_BLOCKS == 0 for end in ends - {BLOCKS})


def test_a_window_that_holds_little_is_not_looked_beyond() -> None:
    wanted = _wanted(Everything(window_blocks=20), 101 * BLOCK_BYTES)
    assert max(end - first for first, end in wanted) == 10
