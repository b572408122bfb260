"""10,000 signed entries to a node that has none, and searching them there."""

import asyncio
import os
import random
import shutil
import statistics
import time
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.nodes import until
from bench.report import Options, Report, Targets, percentile
from headwater.catalog.catalogue import Catalogue
from headwater.lab.cluster import Cluster, LabNode
from headwater.wire.items import Item, VideoEntry, sign_item

TARGETS: Targets = {"sync_10000_s": ("<=", 5), "search_p95_ms": ("<=", 20)}
ENTRIES = 10_000
RUNS = 5
LIMIT_S = 120.0
POLL_S = 0.05
WORDS = (
    *("harbour", "winter", "concert", "holiday", "lecture", "garden", "birthday", "mountain"),
    *("été", "straße", "東京", "夜景", "лекция", "안녕하세요", "river", "match", "choir", "market"),
)
ASKED = ("", "h", "holiday", "holiday winter", "ete", "東京", "лек", "concert 99", "oliday", "zzzz")
ROUNDS = 20


async def measure(report: Report, options: Options) -> None:
    async with Cluster() as cluster:
        full = cluster.root / "full" / "catalogue.db"
        full.parent.mkdir()
        await asyncio.to_thread(_fill, report, full)
        if options.wants("search"):
            await asyncio.to_thread(_search, report, full)
        if options.wants("sync"):
            await _sync(report, cluster, options.count(RUNS))


def _fill(report: Report, database: Path) -> None:
    """A catalogue as a node with many neighbours has it: forty channels."""
    catalogue = Catalogue(database, _now_ms)
    keys = [Ed25519PrivateKey.generate() for _ in range(40)]
    items = [_entry(keys[n % len(keys)], n) for n in range(ENTRIES)]
    began_s = time.perf_counter()
    catalogue.add(items)
    report.beside("writing them at once, s", [time.perf_counter() - began_s])
    catalogue.close()


def _entry(key: Ed25519PrivateKey, number: int) -> Item:
    title = f"{' '.join(random.sample(WORDS, 4))} {number}"
    body = VideoEntry(
        version=_now_ms(),
        video=os.urandom(32),
        pieces_root=os.urandom(32),
        piece_bytes=1024 * 1024,
        size_bytes=random.randrange(1, 2**32),
        title=title,
        file_name=f"{title}.mp4",
        media_type="video/mp4",
        plays="direct",
        duration_ms=random.randrange(10**7),
        width=1920,
        height=1080,
        codecs=("avc1.640028", "mp4a.40.2"),
        infohash_v1=os.urandom(20),
        poster=os.urandom(32),
        storyboard=os.urandom(32),
        storyboard_columns=10,
        storyboard_rows=10,
        storyboard_step_ms=5000,
        node=key.public_key().public_bytes_raw(),
        created_ms=_now_ms() - random.randrange(10**10),
    )
    return sign_item(key, body)


def _search(report: Report, database: Path) -> None:
    catalogue = Catalogue(database, _now_ms)
    samples = []
    for asked in ASKED * ROUNDS:
        began_s = time.perf_counter()
        catalogue.search(asked)
        samples.append((time.perf_counter() - began_s) * 1000)
    catalogue.close()
    report.figure("search_p95_ms", percentile(samples, 0.95), samples, "nothing")
    report.beside(
        "slowest of each question", [max(samples[i :: len(ASKED)]) for i in range(len(ASKED))]
    )


async def _sync(report: Report, cluster: Cluster, runs: int) -> None:
    """From the new node's page being served to all entries being searchable there: the link that
    it makes first and every signature that it checks included."""
    full = await cluster.start_node("full")
    samples = []
    for _ in range(runs):
        new = await cluster.start_node("new", join=[full])
        began_s = time.perf_counter()
        await until("the new node has them all", partial(_has_all, new), LIMIT_S, POLL_S)
        samples.append(time.perf_counter() - began_s)
        await new.stop()
        await asyncio.to_thread(shutil.rmtree, new.state)
    report.figure("sync_10000_s", statistics.median(samples), samples, "nothing")


async def _has_all(node: LabNode) -> bool:
    found = await asyncio.to_thread(node.api.get, "/api/v1/videos?limit=1")
    return int(found["total"]) >= ENTRIES


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
