"""From a click on a poster to a playing picture, each time on a node that has nothing of it."""

import asyncio
import contextlib
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from bench.browser import Start, browser, page_of, play
from bench.child import child
from bench.film import film
from bench.nodes import knows, linked, shares, throw_away
from bench.report import Options, Report, Targets, percentile
from headwater.lab.cluster import Cluster, LabNode

TARGETS: Targets = {
    "p50_ms": ("<=", 80),
    "p95_ms": ("<=", 200),
    "ratio_to_local_file": ("<=", 2),
    "slow_peers_p95_ms": ("<=", 300),
    "rtt80_p50_ms": ("<=", 300),
}
RUNS = 20
HOLDERS = 5
SLOW = 2
SLOW_LIMIT = "50kB"
DELAY_MS = 40
HELD_MS = 80
"""As long as people take to let a button go; the programs of the other parts take no time."""


@dataclass(slots=True)
class _Found:
    """Starts on fresh nodes, and those of the local file in between."""

    ours: list[Start] = field(default_factory=list)
    floor: list[Start] = field(default_factory=list)

    @property
    def ours_ms(self) -> list[float]:
        return [start.playing_ms for start in self.ours]

    @property
    def floor_ms(self) -> list[float]:
        return [start.playing_ms for start in self.floor]


async def measure(report: Report, options: Options) -> None:
    runs = options.count(RUNS)
    file = await asyncio.to_thread(film)
    async with browser() as chromium, child("bench.local_file", file) as server:
        floor = str((await server.answer())["page"])
        if options.wants("plain"):
            async with _mesh(file, 1, []) as (cluster, holders, video):
                found = await _starts(chromium, floor, cluster, holders, video, runs, [])
            _plain(report, found)
        if options.wants("held"):
            async with _mesh(file, 1, []) as (cluster, holders, video):
                found = await _starts(chromium, floor, cluster, holders, video, runs, [], HELD_MS)
            told = f"local file: {statistics.median(found.floor_ms):.0f} ms"
            value = statistics.median(found.ours_ms)
            report.figure("held_p50_ms", value, found.ours_ms, told)
        if options.wants("slow_peers"):
            async with _mesh(file, HOLDERS, []) as (cluster, holders, video):
                found = await _starts(chromium, floor, cluster, holders, video, runs, [])
            told = f"local file: {percentile(found.floor_ms, 0.95):.0f} ms"
            value = percentile(found.ours_ms, 0.95)
            report.figure("slow_peers_p95_ms", value, found.ours_ms, told)
        if options.wants("rtt80"):
            flags = ["--link-delay-ms", str(DELAY_MS)]
            async with _mesh(file, 1, flags) as (cluster, holders, video):
                found = await _starts(chromium, floor, cluster, holders, video, runs, flags)
            told = f"local file: {statistics.median(found.floor_ms):.0f} ms"
            value = statistics.median(found.ours_ms)
            report.figure("rtt80_p50_ms", value, found.ours_ms, told)


def _plain(report: Report, found: _Found) -> None:
    ours, floor = statistics.median(found.ours_ms), statistics.median(found.floor_ms)
    told = f"local file over plain HTTP: {floor:.0f} ms"
    report.figure("p50_ms", ours, found.ours_ms, told)
    floor_p95 = percentile(found.floor_ms, 0.95)
    report.figure(
        "p95_ms", percentile(found.ours_ms, 0.95), found.ours_ms, f"local file: {floor_p95:.0f} ms"
    )
    pairs = zip(found.ours_ms, found.floor_ms, strict=True)
    report.figure("ratio_to_local_file", ours / floor, [a / b for a, b in pairs], "local file")
    report.beside("local_file_ms", found.floor_ms)
    for kind in ("loadstart", "loadedmetadata", "loadeddata"):
        report.beside(f"to {kind}, ms", _of(kind, found.ours))
        report.beside(f"to {kind}, local file, ms", _of(kind, found.floor))


def _of(kind: str, starts: Sequence[Start]) -> list[float]:
    return [start.since_ms[kind] for start in starts if kind in start.since_ms]


@contextlib.asynccontextmanager
async def _mesh(
    file: Path, holders: int, flags: list[str]
) -> AsyncIterator[tuple[Cluster, list[LabNode], Any]]:
    """Nodes that hold the film: the first shares it, the others keep it, the last SLOW of five
    give 50 kB/s."""
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(shutil.copy, file, folder)
        async with Cluster() as cluster:
            first = await cluster.start_node("holder0", folders=[folder], flags=flags)
            [video] = await shares(first)
            for number in range(1, holders):
                limit = ["--up-limit", SLOW_LIMIT] if number >= holders - SLOW else []
                known = list(cluster.nodes.values())
                node = await cluster.start_node(
                    f"holder{number}", join=known, flags=[*flags, *limit]
                )
                await knows(node, video["id"])
                await asyncio.to_thread(node.api.post, f"/api/v1/videos/{video['id']}/keep")
            await knows(first, video["id"], holders)
            yield cluster, list(cluster.nodes.values()), video


async def _starts(
    chromium: Browser,
    floor: str,
    cluster: Cluster,
    holders: Sequence[LabNode],
    video: Any,
    runs: int,
    flags: list[str],
    held_ms: int = 0,
) -> _Found:
    """Ours and the floor in turns; the first of both warms the browser up."""
    found = _Found()
    for run in range(runs + 1):
        async with page_of(chromium, floor) as page:
            local = await play(page, held_ms)
        node = await cluster.start_node(f"viewer{run}", join=holders, flags=flags)
        await knows(node, video["id"], len(holders))
        await linked(node, len(holders))
        async with page_of(chromium, node.page) as page:
            start = await play(page, held_ms)
        await throw_away(node)
        if run:
            found.floor.append(local)
            found.ours.append(start)
    return found
