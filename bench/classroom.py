"""A class watches the same film, each on a machine of their own, all behind one thin uplink."""

import asyncio
import random
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.film import DURATION_S, film
from bench.nodes import knows, linked, sent_bytes, shares
from bench.report import Options, Report, Targets, percentile
from headwater.lab.cluster import Cluster, LabNode

TARGETS: Targets = {
    "start_p95_s": ("<=", 2.0),
    "stalled_p95_s": ("<=", 0.5),
    "egress_ratio": ("<=", 2.0),
}

VIEWERS = 12
WATCHED_S = 60
SPREAD_S = 2.0
"""Within which all of them begin."""
UPLINK_FILMS = 3
"""What the publisher may send at a time, in films: a quarter of what it would take for each."""
AHEAD_S = 10.0
"""A player reads no further ahead."""
BEGIN_S = 1.0
"""Of the film must be there before it begins."""
LIMIT_S = 600.0


@dataclass(slots=True)
class Player:
    """How a film plays whose bytes come as they come, at a steady rate. Units: seconds."""

    bytes_per_s: float
    opened_s: float
    got_bytes: int = 0
    started_s: float | None = None
    played_s: float = 0.0
    stalled_s: float = 0.0
    _looked_s: float = 0.0

    def take(self, size_bytes: int, now_s: float) -> float:
        """Some more came. How long to wait before reading on."""
        here_s = self.got_bytes / self.bytes_per_s
        if self.started_s is not None:
            passed_s = now_s - self._looked_s
            went_s = min(passed_s, here_s - self.played_s)
            self.played_s += went_s
            self.stalled_s += passed_s - went_s
        self._looked_s = now_s
        self.got_bytes += size_bytes
        here_s = self.got_bytes / self.bytes_per_s
        if self.started_s is None and here_s >= BEGIN_S:
            self.started_s = now_s - self.opened_s
        return max(0.0, here_s - self.played_s - AHEAD_S)


async def measure(report: Report, options: Options) -> None:
    path = await asyncio.to_thread(film)
    rate = path.stat().st_size / DURATION_S
    viewers = options.count(VIEWERS)
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(shutil.copy, path, folder)
        async with Cluster() as cluster:
            flags = ["--up-limit", str(round(UPLINK_FILMS * rate))]
            publisher = await cluster.start_node("publisher", folders=[folder], flags=flags)
            [video] = await shares(publisher)
            nodes: list[LabNode] = []
            for number in range(viewers):
                nodes.append(await cluster.start_node(f"viewer{number}", join=[publisher, *nodes]))
            for node in nodes:
                await knows(node, video["id"])
                await linked(node, viewers)
            before = await sent_bytes(publisher)
            players = await asyncio.gather(*(watch(node, video["id"], rate) for node in nodes))
            after = await sent_bytes(publisher)
    starts = [player.started_s or LIMIT_S for player in players]
    stalls = [player.stalled_s for player in players]
    report.figure("start_p95_s", percentile(starts, 0.95), starts, f"{viewers} viewers")
    report.figure(
        "stalled_p95_s", percentile(stalls, 0.95), stalls, f"of {WATCHED_S} s that were watched"
    )
    if before is not None and after is not None:
        report.figure(
            "egress_ratio", (after - before) / (WATCHED_S * rate), (), "what one of them watches"
        )


async def watch(node: LabNode, video: str, rate: float) -> Player:
    """Begin within SPREAD_S, and watch WATCHED_S of the film as it comes."""
    await asyncio.sleep(random.Random(node.name).random() * SPREAD_S)
    player = Player(rate, time.monotonic())
    asked = {"Range": f"bytes=0-{round(WATCHED_S * rate) - 1}"}
    async with (
        asyncio.timeout(LIMIT_S),
        httpx.AsyncClient(timeout=LIMIT_S) as client,
        client.stream("GET", f"{node.page}/v/{video}/file", headers=asked) as answer,
    ):
        async for chunk in answer.aiter_raw():
            await asyncio.sleep(player.take(len(chunk), time.monotonic()))
    return player
