"""Who asks for parts gets what the children leave of the uplink, and no more."""

import asyncio
import math
from typing import cast

from live_parts import part

from headwater.link.port import Stream
from headwater.live.counters import LiveCounters
from headwater.live.limits import LiveLimits
from headwater.live.part import LivePart
from headwater.live.pull import PartServer
from headwater.live.spare import LEAST_BYTES_S, SPARE_S
from headwater.wire.frames import HEADER_BYTES, decode
from headwater.wire.ids import NodeId
from headwater.wire.live import GetParts, PartsReply
from headwater.wire.messages import Refused, reply_decoder

ASKER, OTHER = NodeId(b"a" * 32), NodeId(b"b" * 32)
SIZE = len(part(1, payload=bytes(20_000)).frame)


class _Stream:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def set_priority(self, priority: int) -> None:
        return

    async def write(self, payload: bytes) -> None:
        self.written += payload

    async def finish(self) -> None:
        return

    def reply(self) -> object:
        size = int.from_bytes(self.written[:HEADER_BYTES], "big")
        return decode(self.written[HEADER_BYTES : HEADER_BYTES + size], reply_decoder)


class _World:
    def __init__(self, spare_bytes_s: float) -> None:
        self.now, self.spare_bytes_s, self.counters = 100.0, spare_bytes_s, LiveCounters()
        self.server = PartServer(
            *(self._find, lambda: 250_000.0, self.counters, LiveLimits()),
            *(lambda: self.now, lambda: self.spare_bytes_s),
        )

    async def _find(self, seq: int) -> LivePart:
        return part(seq, payload=bytes(20_000))

    def ask(self, *seqs: int, node: NodeId = ASKER) -> object:
        stream = _Stream()
        request = GetParts(bytes(32), seqs)
        asyncio.run(self.server.answer(node, request, cast(Stream, stream)))
        return stream.reply()

    def given(self, seconds: float) -> int:
        """Parts that are given when two ask without end."""
        given = 0
        for step in range(int(100 * seconds)):
            self.now += 0.01
            given += self.ask(step, node=(ASKER, OTHER)[step % 2]) == PartsReply(1)
        return given


def test_without_a_known_end_nobody_is_refused() -> None:
    world = _World(math.inf)
    assert world.given(2.0) == 200
    assert world.counters.pulls_curbed == 0


def test_all_together_get_what_is_left() -> None:
    world = _World(10 * SIZE)
    world.now += 60.0
    assert SPARE_S * 10 <= world.given(0.01 + SPARE_S) <= 2 * SPARE_S * 10 + 1
    assert 99 <= world.given(10.0) <= 101
    assert world.counters.pulls_curbed > 0


def test_who_is_refused_is_told_that_it_is_here() -> None:
    world = _World(0.0)
    world.now += 1.0
    assert world.ask(1, 2, 3) == PartsReply(3)
    assert world.ask(4) == Refused("busy")


def test_however_much_the_children_need_something_is_given() -> None:
    world = _World(0.0)
    assert world.given(60.0) * SIZE > 0.8 * 60.0 * LEAST_BYTES_S


def test_what_children_no_longer_need_is_there_at_once() -> None:
    world = _World(0.0)
    world.given(5.0)
    world.spare_bytes_s = math.inf
    assert world.given(1.0) == 100
