"""A live down a chain of four relays: when each part is where, what as many MoQ relays take, and
what TLS and the checks alone do."""

import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.child import child
from bench.live_nodes import Watcher, on_air, start_all
from bench.moq_chain import is_installed
from bench.nodes import until
from bench.report import Options, Report, Targets, percentile
from headwater.lab.cluster import Cluster
from headwater.link.topology import chain

TARGETS: Targets = {
    "lost": ("<=", 0),
    "duplicates": ("<=", 0),
    "p50_ms": ("<=", 4),
    "p99_ms": ("<=", 25),
}
NAMES = ["source", "relay 1", "relay 2", "relay 3", "relay 4", "viewer"]
SECONDS = 60
HOPS_SECONDS = 10
"""For each hop a chain of its own: watchers at every node of one would be in the parts' way."""
SETTLE_S = 5.0
DRAIN_S = 1.0
SIZES = [250_000] + [83_000] * 9
"""Bytes of the parts of a group, where no run has told them."""
RUNS: dict[str, dict[str, Any]] = {
    "720p": {"height": 720, "bitrate_bps": 8_000_000},
    "1080p": {"height": 1080, "bitrate_bps": 8_000_000},
    "frames": {"height": 720, "bitrate_bps": 8_000_000, "part_ms": 33},
}


async def measure(report: Report, options: Options) -> None:
    """`--runs N`: N seconds of each. Parts: 720p, 1080p, frames, hops, floor, moq."""
    seconds = options.count(SECONDS)
    lost = duplicates = 0
    whole: list[float] = []
    sizes = SIZES
    for name, live in RUNS.items():
        if not options.wants(name):
            continue
        first, last = await _chain(live, seconds, (NAMES[0], NAMES[-1]))
        missing, samples = _compare(first, last)
        lost += missing
        duplicates += last.duplicates
        if name == "frames":
            report.figure("frames_p50_ms", statistics.median(samples), samples)
            report.figure("frames_p99_ms", percentile(samples, 0.99), samples)
        else:
            whole, sizes = whole + samples, _group(first) or sizes
            report.beside(f"{name}_ms", samples)
        kb = statistics.mean(last.sizes.values()) / 1e3
        report.note(f"{name}: {len(samples)} parts, {kb:.0f} kB each on average")
    if whole:
        report.figure("p50_ms", statistics.median(whole), whole)
        report.figure("p99_ms", percentile(whole, 0.99), whole)
        report.figure("lost", lost)
        report.figure("duplicates", duplicates)
    if options.wants("hops"):
        for name in NAMES[1:]:
            first, last = await _chain(RUNS["720p"], min(seconds, HOPS_SECONDS), (NAMES[0], name))
            report.beside(f"source to {name}, ms", _compare(first, last)[1])
    if options.wants("floor"):
        await _floor(report, sizes, seconds)
    if options.wants("moq"):
        await _moq(report, sizes, seconds)


async def _chain(live: dict[str, Any], seconds: int, watched: Sequence[str]) -> list[Watcher]:
    """Watchers of those nodes, from the source down. Each costs its node and us some time."""
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        async with Cluster() as cluster:
            nodes = await start_all(cluster, chain(NAMES), Path(folder))
            identity = await on_air(nodes, stripes=1, **live)
            watchers = [Watcher(node, identity) for node in nodes if node.name in watched]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(each.run()) for each in reversed(watchers)]
                await until("all have parts", partial(_have_begun, watchers))
                await asyncio.sleep(SETTLE_S + seconds + DRAIN_S)
                for task in tasks:
                    task.cancel()
            return watchers


async def _have_begun(watchers: Sequence[Watcher]) -> bool:
    return all(each.arrived for each in watchers)


def _group(watcher: Watcher) -> list[int]:
    """Bytes of the parts of a group, as they came in the middle of the run."""
    middle = watcher.keys[len(watcher.keys) // 2 :]
    between = range(*middle[:2]) if middle[1:] else ()
    return [size for seq, size in watcher.sizes.items() if seq in between]


def _compare(above: Watcher, below: Watcher) -> tuple[int, list[float]]:
    """Parts that were lost on the way, and the milliseconds that the others took.

    What came in the first SETTLE_S, while all were joining, and in the last DRAIN_S does not count.
    """
    begin = max(min(above.arrived.values()), min(below.arrived.values())) + SETTLE_S
    end = max(above.arrived.values()) - DRAIN_S
    counted = [seq for seq, at in above.arrived.items() if begin <= at <= end]
    came = [seq for seq in counted if seq in below.arrived]
    return len(counted) - len(came), [1e3 * (below.arrived[s] - above.arrived[s]) for s in came]


async def _floor(report: Report, sizes: Sequence[int], seconds: int) -> None:
    least = await _beside("bench.bare_chain", sizes, seconds)
    report.figure("floor_p50_ms", statistics.median(least), least, "TLS, signature, hash: no more")


async def _beside(module: str, sizes: Sequence[int], seconds: int) -> list[float]:
    """Milliseconds of the same sizes and pace over as many relays of that kind, each a process."""
    words = ",".join(map(str, sizes))
    async with child(module, len(NAMES) - 2, seconds, 100, words) as chain_of_them:
        return [float(ms) for ms in await chain_of_them.answer(timeout_s=seconds + 90)]


async def _moq(report: Report, sizes: Sequence[int], seconds: int) -> None:
    if not is_installed():
        report.note("moq: not measured: `pip install -r requirements/bench.txt` brings it")
        return
    theirs = await _beside("bench.moq_chain", sizes, seconds)
    report.figure("moq_p50_ms", statistics.median(theirs), theirs, "they check nothing")
    report.figure("moq_p99_ms", percentile(theirs, 0.99), theirs)
    if lost := seconds * 10 - len(theirs):
        report.note(f"moq: {lost} parts were given up on the way")
