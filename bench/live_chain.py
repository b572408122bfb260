"""A live down a chain of four relays: when each part is where, and what as many MoQ relays take."""

import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.child import child
from bench.live_nodes import Watcher, on_air, start_all
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
SETTLE_S = 5.0
DRAIN_S = 1.0
RUNS: dict[str, dict[str, Any]] = {
    "720p": {"height": 720, "bitrate_bps": 8_000_000},
    "1080p": {"height": 1080, "bitrate_bps": 8_000_000},
    "frames": {"height": 720, "bitrate_bps": 8_000_000, "part_ms": 33},
}


async def measure(report: Report, options: Options) -> None:
    """`--runs N`: N seconds of each. Parts: 720p, 1080p, frames, moq."""
    seconds = options.count(SECONDS)
    lost = duplicates = 0
    whole: list[float] = []
    for name, live in RUNS.items():
        if not options.wants(name):
            continue
        watchers = await _chain(live, seconds)
        first, last = watchers[0], watchers[-1]
        missing, samples = _compare(first, last)
        lost += missing
        duplicates += sum(each.duplicates for each in watchers)
        if name != "frames":
            whole += samples
        report.beside(f"{name}_ms", samples)
        for above, below in pairwise(watchers):
            report.beside(
                f"{name} {above.node.name} to {below.node.name}", _compare(above, below)[1]
            )
        report.note(
            f"{name}: {len(samples)} parts, {last.size_bytes / len(samples) / 1e3:.0f} kB each"
        )
        if name == "frames":
            report.figure("frames_p50_ms", statistics.median(samples), samples)
            report.figure("frames_p99_ms", percentile(samples, 0.99), samples)
    if whole:
        report.figure("p50_ms", statistics.median(whole), whole)
        report.figure("p99_ms", percentile(whole, 0.99), whole)
    report.figure("lost", lost)
    report.figure("duplicates", duplicates)
    if options.wants("moq"):
        theirs = await _moq(seconds)
        report.figure("moq_p50_ms", statistics.median(theirs), theirs, "checks nothing")
        report.figure("moq_p99_ms", percentile(theirs, 0.99), theirs)


async def _chain(live: dict[str, Any], seconds: int) -> list[Watcher]:
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        async with Cluster() as cluster:
            nodes = await start_all(cluster, chain(NAMES), Path(folder))
            identity = await on_air(nodes, stripes=1, **live)
            watchers = [Watcher(node, identity) for node in nodes]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(each.run()) for each in reversed(watchers)]
                await asyncio.sleep(SETTLE_S + seconds + DRAIN_S)
                for task in tasks:
                    task.cancel()
            return watchers


def _compare(above: Watcher, below: Watcher) -> tuple[int, list[float]]:
    """Parts that were lost on the way, and the milliseconds that the others took.

    What came in the first SETTLE_S, while all were joining, and in the last DRAIN_S does not count.
    """
    begin = max(min(above.arrived.values()), min(below.arrived.values())) + SETTLE_S / 2
    end = max(above.arrived.values()) - DRAIN_S
    counted = [seq for seq, at in above.arrived.items() if begin <= at <= end]
    came = [seq for seq in counted if seq in below.arrived]
    return len(counted) - len(came), [1e3 * (below.arrived[s] - above.arrived[s]) for s in came]


async def _moq(seconds: int) -> Sequence[float]:
    """The same sizes and pace over as many relays of MoQ, each a process."""
    async with child("bench.moq_chain", len(NAMES) - 2, seconds) as moq:
        return list(await moq.answer(timeout_s=seconds + 60))
