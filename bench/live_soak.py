"""Half an hour of a live whose relays die all the time: memory, descriptors, threads stay flat."""

import asyncio
import random
import signal
from dataclasses import dataclass

import psutil

from bench.live_nodes import Watcher, on_air
from bench.report import Options, Report, Targets
from headwater.lab.cluster import Cluster, LabNode

TARGETS: Targets = {
    "rss_growth_mb": ("<=", 20),
    "descriptor_growth": ("<=", 8),
    "thread_growth": ("<=", 4),
    "parts_lost": ("<=", 0),
}
MINUTES = 30
SETTLE_S = 60.0
"""Buffers fill and the allocator finds its size; then the first look is taken."""
FULL_MINUTES = 12
"""The time shift is full then: growth is reckoned from there, or from the middle of a shorter run,
in which it still fills by two files a minute."""
KILL_EVERY_S = 10.0
KILLED, SPARED = 5, 2
BITRATE_BPS = 1_500_000
UPLINK_BYTES_S = 750_000
"""Of each node: three children, so that those who are killed feed others."""
FLAGS = ["--carry", "--up-limit", str(UPLINK_BYTES_S)]


@dataclass(frozen=True, slots=True)
class _Look:
    rss_mb: float
    descriptors: int
    threads: int


async def measure(report: Report, options: Options) -> None:
    """`--runs N`: N minutes after the first."""
    minutes = options.count(MINUTES)
    async with Cluster() as cluster:
        source = await cluster.start_node("source", flags=FLAGS)
        names = [f"spared-{n}" for n in range(1, SPARED + 1)]
        spared = [await cluster.start_node(name, join=[source], flags=FLAGS) for name in names]
        doomed = [f"doomed-{n}" for n in range(1, KILLED + 1)]
        for name in doomed:
            await cluster.start_node(name, join=[source, *spared], flags=FLAGS)
        everybody = list(cluster.nodes.values())
        live = await on_air(everybody, bitrate_bps=BITRATE_BPS, height=360)
        watcher = Watcher(spared[-1], live)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watcher.run())
            killing = group.create_task(_kill(cluster, [source, *spared], doomed))
            await asyncio.sleep(SETTLE_S)
            looks = {node.name: [_look(node)] for node in (source, *spared)}
            first = max(watcher.arrived)
            for _ in range(minutes):
                await asyncio.sleep(60.0)
                for node in (source, *spared):
                    looks[node.name].append(_look(node))
            killing.cancel()
            watching.cancel()
        seen = [seq for seq in watcher.arrived if seq >= first]
    _tell(report, looks)
    report.figure("parts_lost", watcher.lost(first, max(seen)))
    report.note(f"{len(seen)} parts seen on {spared[-1].name}, {watcher.gaps} gaps told by it")


async def _kill(cluster: Cluster, known: list[LabNode], doomed: list[str]) -> None:
    """Until cancelled, one after the other in no order; the one killed before comes back."""
    while True:
        name = random.choice(doomed)
        cluster.nodes[name].kill(signal.SIGKILL)
        await asyncio.sleep(KILL_EVERY_S / 2)
        await cluster.start_node(name, join=known, flags=FLAGS)
        await asyncio.sleep(KILL_EVERY_S / 2)


def _look(node: LabNode) -> _Look:
    """At the node's own process; its encoder is not counted."""
    process = psutil.Process(node.pid)
    with process.oneshot():
        rss_mb = process.memory_info().rss / 1e6
        return _Look(rss_mb, process.num_fds(), process.num_threads())


def _tell(report: Report, looks: dict[str, list[_Look]]) -> None:
    for name, of in looks.items():
        first, last = _ends(of)
        report.beside(f"{name} rss_mb", [look.rss_mb for look in of])
        report.beside(f"{name} descriptors", [look.descriptors for look in of])
        report.note(
            f"{name}: {first.rss_mb:.0f} -> {last.rss_mb:.0f} MB, "
            f"{first.descriptors} -> {last.descriptors} descriptors, "
            f"{first.threads} -> {last.threads} threads; each minute: "
            + ", ".join(f"{look.rss_mb:.0f} MB/{look.descriptors}" for look in of)
        )
    ends = [_ends(of) for of in looks.values()]
    report.figure("rss_growth_mb", max(b.rss_mb - a.rss_mb for a, b in ends), (), "the worst node")
    report.figure("descriptor_growth", max(b.descriptors - a.descriptors for a, b in ends))
    report.figure("thread_growth", max(b.threads - a.threads for a, b in ends))


def _ends(looks: list[_Look]) -> tuple[_Look, _Look]:
    """Between which growth counts."""
    return looks[min(FULL_MINUTES, len(looks) // 2)], looks[-1]
