"""Seeks of a playing ten-minute film into parts that were not fetched yet."""

import asyncio
import contextlib
import random
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from playwright.async_api import Browser

from bench.browser import browser, page_of, play, seek
from bench.child import child
from bench.film import DURATION_S, film
from bench.nodes import knows, linked, shares, throw_away
from bench.report import Options, Report, Targets, percentile
from headwater.lab.cluster import Cluster, LabNode

TARGETS: Targets = {"p50_ms": ("<=", 80), "p95_ms": ("<=", 200)}
SEEKS = 30
SEEKS_A_VIEWER = 5
"""Then a fresh node, browser page and rival: a browser reads 15 to 20 MB ahead at each place."""
MAX_VIEWERS = 12
BETWEEN_MS = 700
"""It plays for this long at each place."""
FIRST_S, LAST_S = 85.0, DURATION_S - 15.0
"""Places lie between these: what comes before was read ahead of at the start."""
NEEDED_BYTES = 256 * 1024
"""From the keyframe before the place on: none of these may be here already."""
TORRENT_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Film:
    """`keyframes`: (second, offset in bytes), in order."""

    path: Path
    keyframes: tuple[tuple[float, int], ...]

    def offset_of(self, second: float) -> int:
        return max(offset for at, offset in self.keyframes if at <= second)


async def measure(report: Report, options: Options) -> None:
    known = await asyncio.to_thread(_read_film)
    seeks = options.count(SEEKS)
    ours: list[float] = []
    theirs: list[float] = []
    floor: list[float] = []
    places = _places(seeks)
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        async with browser() as chromium, _holders(known, Path(name)) as holders:
            for _ in range(MAX_VIEWERS):
                batch, places = places[:SEEKS_A_VIEWER], places[SEEKS_A_VIEWER:]
                found, left_out = await _on_a_node(chromium, holders, known, batch)
                ours += found
                places += left_out
                done = [place for place in batch if place not in left_out]
                theirs += await _on_libtorrent(chromium, holders, done)
                floor += await _at(chromium, holders.floor, done)
                if not places:
                    break
    told = f"libtorrent {statistics.median(theirs):.0f}, local file {statistics.median(floor):.0f}"
    report.figure("p50_ms", statistics.median(ours), ours, told)
    told = f"libtorrent {percentile(theirs, 0.95):.0f}, local file {percentile(floor, 0.95):.0f}"
    report.figure("p95_ms", percentile(ours, 0.95), ours, told)
    report.figure("libtorrent_p50_ms", statistics.median(theirs), theirs, "the same seeks")
    report.beside("local_file_ms", floor)


def _read_film() -> _Film:
    path = film()
    with av.open(str(path)) as source:
        keyframes = tuple(
            (float(packet.pts * packet.time_base), packet.pos)
            for packet in source.demux(video=0)
            if packet.is_keyframe and packet.pts is not None and packet.pos is not None
        )
    return _Film(path, keyframes)


def _places(seeks: int) -> list[float]:
    """Seconds all over the film, those of one viewer as far apart as can be; the same every run."""
    grid = [FIRST_S + n * (LAST_S - FIRST_S) / seeks for n in range(seeks)]
    viewers = -(-seeks // SEEKS_A_VIEWER)
    rng = random.Random(1)
    batches = [rng.sample(part, len(part)) for n in range(viewers) if (part := grid[n::viewers])]
    return [round(at + rng.uniform(0, 2), 2) for batch in batches for at in batch]


@dataclass(frozen=True, slots=True)
class _Holders:
    """Where the film is: a node, a libtorrent seed, a local file."""

    cluster: Cluster
    node: LabNode
    video: Any
    torrent: Path
    peer: str
    floor: str


@contextlib.asynccontextmanager
async def _holders(known: _Film, folder: Path) -> AsyncIterator[_Holders]:
    shared, torrent = folder / "shared", folder / "film.torrent"
    shared.mkdir()
    await asyncio.to_thread(shutil.copy, known.path, shared)
    async with (
        Cluster() as cluster,
        child("bench.bare_libtorrent", "seed", known.path, torrent, TORRENT_PIECE_BYTES) as seed,
        child("bench.local_file", known.path) as server,
    ):
        node = await cluster.start_node("holder", folders=[shared])
        [video] = await shares(node)
        peer = f"127.0.0.1:{(await seed.answer())['port']}"
        page = str((await server.answer())["page"])
        yield _Holders(cluster, node, video, torrent, peer, page)


async def _on_a_node(
    chromium: Browser, holders: _Holders, known: _Film, places: Sequence[float]
) -> tuple[list[float], list[float]]:
    """A viewer that had nothing of it: milliseconds, and the places that it had read ahead of."""
    name = f"viewer{len(holders.cluster.nodes)}"
    viewer = await holders.cluster.start_node(name, join=[holders.node])
    await knows(viewer, holders.video["id"])
    await linked(viewer, 1)
    path = f"/api/v1/videos/{holders.video['id']}/sources"
    samples, left_out = [], []
    async with page_of(chromium, viewer.page) as page:
        await play(page)
        for place in places:
            await page.wait_for_timeout(BETWEEN_MS)
            here = (await asyncio.to_thread(viewer.api.get, path))["ranges"]
            start = known.offset_of(place)
            if any(first < start + NEEDED_BYTES and start < end for first, end, _ in here):
                left_out.append(place)  # that would be too easy
            else:
                samples.append(await seek(page, place))
    await throw_away(viewer)
    return samples, left_out


async def _on_libtorrent(
    chromium: Browser, holders: _Holders, places: Sequence[float]
) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        arguments = (holders.torrent, folder, holders.peer)
        async with child("bench.libtorrent_reader", *arguments) as reader:
            return await _at(chromium, str((await reader.answer())["page"]), places)


async def _at(chromium: Browser, address: str, places: Sequence[float]) -> list[float]:
    """The same seeks on a plain page."""
    async with page_of(chromium, address) as page:
        await play(page)
        samples = []
        for place in places:
            await page.wait_for_timeout(BETWEEN_MS)
            samples.append(await seek(page, place))
        return samples
