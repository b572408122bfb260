"""Lives as the benchmarks see them: chains and meshes of nodes, and when each part is where."""

import asyncio
import json
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bench.nodes import until
from headwater.errors import NodeError
from headwater.lab.cluster import Cluster, LabNode
from headwater.link.topology import Topology, write_topology

__all__ = ["Watcher", "heard_of", "on_air", "start_all"]

_HEADER = struct.Struct(">QQQIBB2x")
"""Before each part: number, time shown, time taken, duration, flags, how many numbers more it has.
web/gateway/live_frames.py"""
_IS_INIT, _IS_KEY = 1, 2


@dataclass(eq=False)
class Watcher:
    """A player of one node's parts: what came when, by `time.monotonic()`."""

    node: LabNode
    live: str
    arrived: dict[int, float] = field(default_factory=dict)
    taken_us: dict[int, int] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    """Bytes of each part."""
    keys: list[int] = field(default_factory=list)
    """Numbers of the keyframes' parts."""
    order: list[int] = field(default_factory=list)
    gaps: int = 0
    _more: dict[int, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled or the node ends."""
        url = f"ws://{self.node.address}/live/{self.live}/parts"
        try:
            async with connect(url, max_size=None, compression=None) as socket:
                async for message in socket:
                    self._take(message, time.monotonic())
        except (ConnectionClosed, OSError):
            pass  # it was killed: that is what is measured

    def _take(self, message: str | bytes, now: float) -> None:
        if isinstance(message, str):
            self.gaps += json.loads(message)["type"] == "gap"
            return
        seq, _, taken_us, _, flags, more = _HEADER.unpack_from(message)
        self._more[seq] = more
        if flags & _IS_INIT:
            return
        self.arrived.setdefault(seq, now)
        self.taken_us.setdefault(seq, taken_us)
        self.sizes.setdefault(seq, len(message) - _HEADER.size)
        if flags & _IS_KEY:
            self.keys.append(seq)
        self.order.append(seq)

    def lost(self, first: int, last: int) -> int:
        """Of the numbers between these two parts that came."""
        came = sum(1 + more for seq, more in self._more.items() if first <= seq < last)
        return last - first - came

    @property
    def duplicates(self) -> int:
        return len(self.order) - len(self.arrived)

    def silences(self) -> list[float]:
        """Seconds between parts as they came."""
        times = sorted(self.arrived.values())
        return [after - before for before, after in pairwise(times)]


async def start_all(
    cluster: Cluster, topology: Topology, folder: Path, *, carry: bool = True
) -> list[LabNode]:
    """Each joins those of its neighbours that are there. `carry`: they pass on what nobody watches
    on them."""
    file = folder / "topology.toml"
    write_topology(topology, file)
    nodes: dict[str, LabNode] = {}
    for name in topology.names:
        beside = [node for other, node in nodes.items() if other in topology.neighbours(name)]
        flags = ["--topology", str(file), *(["--carry"] if carry else [])]
        nodes[name] = await cluster.start_node(name, join=beside, flags=flags)
    return list(nodes.values())


async def on_air(nodes: Sequence[LabNode], **options: Any) -> str:
    """The first goes on air; the live's id, once all have heard of it."""
    asked = {"source": "test:", "title": "bench", "keep_recording": False, **options}
    made = await asyncio.to_thread(nodes[0].api.post, "/api/v1/lives", asked)
    live = str(made["id"])
    for node in nodes[1:]:
        await heard_of(node, live)
    return live


async def heard_of(node: LabNode, live: str) -> None:
    await until(f"{node.name} has heard of the live", partial(_knows, node, live))


async def _knows(node: LabNode, live: str) -> Any:
    try:
        found = await asyncio.to_thread(node.api.get, f"/api/v1/lives/{live}")
    except NodeError:
        return None
    return found if found["media_type"] else None
