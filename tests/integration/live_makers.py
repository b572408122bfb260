"""An encoder that makes parts when told to, and nodes that carry what it makes."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from parties import until

from headwater.live.lives import Lives
from headwater.live.part import Fragment, LivePart
from headwater.live.view import LiveView, Start
from headwater.media.live_options import IngestState, LiveOptions, MadePart, State
from headwater.node.node import Node
from headwater.wire.ids import LiveId

__all__ = [
    "Encoder",
    "check_order",
    "go_live",
    "hurry",
    "on_air",
    "payload_of",
    "read_parts",
    "read_some",
    "watching",
]

PART_MS = 20
"""Short ones, so that tests are."""
PART_US = 1000 * PART_MS


def payload_of(number: int, size_bytes: int = 4000) -> bytes:
    """Noise that is the same each time."""
    return hashlib.shake_256(b"part %d" % number).digest(size_bytes)


@dataclass(eq=False)
class Encoder:
    """Makes an init, then a keyframe every `gop` parts. Every part made is kept in `made`."""

    gop: int = 10
    size_bytes: int = 4000
    key_ratio: int = 1
    """So many times as large are keyframes."""
    made: list[bytes] = field(default_factory=list)
    _queue: "asyncio.Queue[MadePart | IngestState]" = field(default_factory=asyncio.Queue)
    _parts: int = 0
    is_closed: bool = False
    _is_restarted: bool = False
    _is_away: bool = False

    async def __call__(self, options: LiveOptions) -> AsyncIterator[MadePart | IngestState]:
        try:
            while True:
                said = await self._queue.get()
                yield said
                if isinstance(said, IngestState) and said.state in ("ended", "failed"):
                    return
        finally:
            self.is_closed = True

    def init(self) -> None:
        self._put(
            MadePart(True, False, self._pts_us, 0, 0, self._payload(200), "video/mp4", 64, 36)
        )

    def make(self, count: int = 1) -> None:
        """So many parts, at once."""
        for _ in range(count):
            is_key = self._parts % self.gop == 0
            payload = self._payload(self.size_bytes * (self.key_ratio if is_key else 1))
            taken_us = time.time_ns() // 1000
            self._put(MadePart(False, is_key, self._pts_us, PART_US, taken_us, payload))
            self._parts += 1

    async def run(self) -> None:
        """An init, then parts at their pace, until cancelled."""
        self.init()
        while True:
            if self._is_restarted:
                self._is_restarted, self._parts = False, -(-self._parts // self.gop) * self.gop
                self._is_away = False
                self.init()
            if not self._is_away:
                self.make()
            await asyncio.sleep(PART_US / 1e6)

    def vanish(self, message: str) -> None:
        """The encoder went away."""
        self._is_away = True
        self.say("waiting", message)

    def restart(self) -> None:
        """The encoder came back: an init, and a keyframe."""
        self._is_restarted = True

    def say(self, state: State, message: str = "") -> None:
        self._queue.put_nowait(IngestState(state, message))

    @property
    def _pts_us(self) -> int:
        return self._parts * PART_US

    def _payload(self, size_bytes: int) -> bytes:
        return payload_of(len(self.made), size_bytes)

    def _put(self, made: MadePart) -> None:
        self.made.append(made.payload)
        self._queue.put_nowait(made)


async def go_live(node: Node, encoder: Encoder, title: str = "Derby", **how: Any) -> LiveId:
    """On air on that node, fed by that encoder."""
    lives: Lives = node.lives
    lives._ingest = encoder
    return await lives.start(LiveOptions("test:", part_ms=PART_MS), title, **how)


@asynccontextmanager
async def watching(node: Node, live: LiveId, start: Start = "edge") -> AsyncIterator[LiveView]:
    """A view of it, once the node has heard of it."""
    await until(lambda: node.catalogue.live(live))
    view = await node.lives.watch(live, start)
    try:
        yield view
    finally:
        await view.close()


def hurry(lives: Lives) -> None:
    """What is not wanted any more is left at once."""
    lives._limits = replace(lives._limits, grace_s=0.0)


def check_order(parts: list[LivePart], encoder: Encoder) -> None:
    """An init and a keyframe, then one after the other, byte for byte as they were made."""
    assert parts[0].info.is_init
    assert parts[1].info.is_key
    assert [part.seq for part in parts[1:]] == [parts[1].seq + n for n in range(len(parts) - 1)]
    for part in parts:
        assert part.payload == encoder.made[part.seq]


async def read_some(view: LiveView, count: int) -> None:
    """So many steps, whatever they are: enough of the live has passed."""
    async with asyncio.timeout(15):
        for _ in range(count):
            await view.next()


async def read_fragments(view: LiveView, count: int) -> list[LivePart | Fragment]:
    """The next so many, each in one part or more; fails when there is a gap or an end."""
    found: list[LivePart | Fragment] = []
    async with asyncio.timeout(15):
        while len(found) < count:
            step = await view.next()
            assert isinstance(step, LivePart | Fragment), step
            found.append(step)
    return found


async def read_parts(view: LiveView, count: int) -> list[LivePart]:
    """The next so many parts; fails when there is a gap or an end."""
    parts: list[LivePart] = []
    async with asyncio.timeout(15):
        while len(parts) < count:
            step = await view.next()
            assert isinstance(step, LivePart), step
            parts.append(step)
    return parts


@asynccontextmanager
async def on_air(
    node: Node, encoder: Encoder | None = None, **how: Any
) -> AsyncIterator[tuple[LiveId, Encoder]]:
    """A live on that node, whose encoder runs at its pace until the end of the block."""
    encoder = encoder or Encoder()
    live = await go_live(node, encoder, **how)
    async with asyncio.TaskGroup() as group:
        pacing = group.create_task(encoder.run(), name="encoder")
        try:
            yield live, encoder
        finally:
            pacing.cancel()
