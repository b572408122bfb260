"""Players of a live's parts, over the WebSocket that pages use, as tests need them."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from e2e_nodes import LONG_S, ask, metric
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from headwater.lab.cluster import LabNode

__all__ = ["Played", "Player", "is_in_order", "playing"]

_HEADER = struct.Struct(">QQQIBB2x")
"""As web/gateway/live_frames.py writes it: number, time shown, time taken, duration, flags, and how
many numbers more."""
_INIT, _KEY = 1, 2
COUNTED = ("parts_received", "parts_unwanted", "parts_delivered", "pulls", "pulls_failed")


@dataclass(frozen=True, slots=True)
class Played:
    seq: int
    pts_us: int
    duration_us: int
    flags: int
    more: int
    payload: bytes

    @property
    def is_init(self) -> bool:
        return bool(self.flags & _INIT)

    @property
    def is_key(self) -> bool:
        return bool(self.flags & _KEY)


@dataclass(eq=False)
class Player:
    """What came, as it came."""

    parts: list[Played] = field(default_factory=list)
    texts: list[dict[str, Any]] = field(default_factory=list)
    is_done: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def edge(self) -> int:
        """The newest part's number."""
        return max((part.seq for part in self.parts), default=-1)

    @property
    def gaps(self) -> int:
        return sum(told["type"] == "gap" for told in self.texts)

    @property
    def inits(self) -> list[Played]:
        return [part for part in self.parts if part.is_init]

    @property
    def payloads(self) -> dict[int, bytes]:
        return {part.seq: part.payload for part in self.parts}

    async def until(self, what: str, is_so: Callable[[], object], within_s: float = LONG_S) -> None:
        """Until `is_so()`, looked at whenever something comes. Raises: TimeoutError, EOFError."""
        try:
            async with asyncio.timeout(within_s):
                while not is_so():
                    if self.is_done:
                        raise EOFError(f"it ended before {what}: {self.texts[-3:]}")
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            told = [told for told in self.texts if told["type"] != "status"][-5:]
            raise TimeoutError(f"never: {what}; edge {self.edge}, told {told}") from None

    async def plays_on(self, more: int = 10, within_s: float = LONG_S) -> None:
        """Until so many parts more have come."""
        count = len(self.parts) + more
        await self.until(f"{more} parts more", lambda: len(self.parts) >= count, within_s)

    async def run(self, url: str) -> None:
        """Until cancelled, or the live or its node ends."""
        try:
            async with connect(url, max_size=None, compression=None) as socket:
                await socket.send('{"until_us": null}')  # all there is, of the past too
                async for message in socket:
                    if isinstance(message, str):
                        self.texts.append(json.loads(message))
                    else:
                        self._take(message)
                    self._news.set()
        except (ConnectionClosed, OSError):
            pass  # its node was killed: what came until then counts
        finally:
            self.is_done = True
            self._news.set()

    def _take(self, message: bytes) -> None:
        seq, pts_us, _, duration_us, flags, more = _HEADER.unpack_from(message)
        payload = message[_HEADER.size :]
        self.parts.append(Played(seq, pts_us, duration_us, flags, more, payload))


@asynccontextmanager
async def playing(node: LabNode, live: str, start: str = "edge") -> AsyncIterator[Player]:
    """A player that has begun."""
    player = Player()
    url = f"ws://{node.address}/live/{live}/parts?from={start}"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(player.run(url), name=f"player.{node.name}")
        try:
            try:
                await player.plays_on(2)
            except TimeoutError as error:
                raise TimeoutError(f"{error}; {await _state_of(node, live)}") from error
            yield player
        finally:
            task.cancel()


async def _state_of(node: LabNode, live: str) -> str:
    """What may tell why nothing comes."""
    overlay = await ask(node, f"/api/v1/lives/{live}/overlay")
    peers = (await ask(node, "/api/v1/peers"))["peers"]
    beside = [peer["name"] for peer in peers if peer["connected"]]
    names = {each["id"]: each["name"] for each in overlay["nodes"]}
    links = [f"{names[link['from']]}-{names[link['to']]}" for link in overlay["links"]]
    counts = {name: metric(node, f"headwater_lives_{name}_total") for name in COUNTED}
    return f"{node.name} is beside {beside}, links {links}, {counts}"


def is_in_order(parts: Sequence[Played]) -> bool:
    """Whether each part that is no init follows on the one before, each init counted by where it
    stands, and none comes twice."""
    seqs = [part.seq for part in parts]
    if len(set(seqs)) != len(seqs):
        return False
    first = next((n for n, part in enumerate(parts) if not part.is_init), len(parts))
    return all(a.seq + a.more + 1 == b.seq for a, b in pairwise(parts[first:]))
