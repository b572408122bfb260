"""Process start to page served; memory and processor of an idle node with three links."""

import asyncio
import statistics
import time
import urllib.request

import psutil

from bench.film import film
from bench.nodes import linked, shares, throw_away
from bench.report import Options, Report, Targets
from headwater.lab.cluster import Cluster, LabNode

TARGETS: Targets = {
    "ready_s": ("<=", 1.5),
    "idle_rss_mb": ("<=", 150),
    "idle_cpu_percent": ("<=", 2),
}
RUNS = 9
NODES = 4
SETTLE_S = 15.0
WINDOW_S = 20.0


async def measure(report: Report, options: Options) -> None:
    if options.wants("ready"):
        await _ready(report, options.count(RUNS))
    if options.wants("idle"):
        await _idle(report, options.count(1))


async def _ready(report: Report, runs: int) -> None:
    """A first start and a second one of the same node each; the figure is of both."""
    first: list[float] = []
    again: list[float] = []
    async with Cluster() as cluster:
        for run in range(runs + 1):
            for seconds in (first, again):
                began_s = time.perf_counter()
                node = await cluster.start_node(f"start{run}")
                await asyncio.to_thread(_page, node)
                seconds.append(time.perf_counter() - began_s)
                await node.stop()
            await throw_away(node)
    both = first[1:] + again[1:]  # the very first found nothing in the disk cache
    report.figure("ready_s", statistics.median(both), both, "nothing")
    report.beside("of new nodes", first[1:])
    report.beside("of nodes with a state", again[1:])
    report.beside("the very first", first[:1])


def _page(node: LabNode) -> None:
    """Raises: HTTPError when it answers anything but 200."""
    with urllib.request.urlopen(f"{node.page}/", timeout=10) as answer:
        answer.read()


async def _idle(report: Report, runs: int) -> None:
    """The first shares a film, each is linked to the three others; the worst node's figure."""
    folder = (await asyncio.to_thread(film)).parent
    memory_mb: list[float] = []
    cpu_percent: list[float] = []
    for _ in range(runs):
        async with Cluster() as cluster:
            for name in "abcd":
                known = list(cluster.nodes.values())
                await cluster.start_node(name, folders=[] if known else [folder], join=known)
            await shares(cluster.nodes["a"])
            nodes = list(cluster.nodes.values())
            for node in nodes:
                await linked(node, NODES - 1)
            await asyncio.sleep(SETTLE_S)
            before = [_cpu_s(node) for node in nodes]
            await asyncio.sleep(WINDOW_S)
            after = [_cpu_s(node) for node in nodes]
            used = [(b - a) / WINDOW_S * 100 for a, b in zip(before, after, strict=True)]
            cpu_percent += used
            memory_mb += [_rss_mb(node) for node in nodes]
    report.figure("idle_rss_mb", max(memory_mb), memory_mb, "nothing; the worst of four nodes")
    report.figure("idle_cpu_percent", max(cpu_percent), cpu_percent, "as above")


def _family(node: LabNode) -> list[psutil.Process]:
    process = psutil.Process(node.pid)
    return [process, *process.children(recursive=True)]


def _cpu_s(node: LabNode) -> float:
    return sum(each.cpu_times().user + each.cpu_times().system for each in _family(node))


def _rss_mb(node: LabNode) -> float:
    return sum(each.memory_info().rss for each in _family(node)) / 1e6
