"""One node that feeds forty others a live of 4 Mbit/s, then a hundred: what it costs, how late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psutil

from bench.child import Child, child
from bench.live_nodes import on_air
from bench.report import Options, Report, Targets, percentile
from headwater.lab.cluster import Cluster, LabNode

TARGETS: Targets = {
    "cpu_percent_40": ("<=", 10),
    "rss_mb_40": ("<=", 200),
    "p99_added_ms_40": ("<=", 30),
    "lost_40": ("<=", 0),
    "lost_100": ("<=", 0),
}
CHILDREN = (40, 100)
PER_PROCESS = 20
STRIPES = 4
BITRATE_BPS = 4_000_000
UPLINK_BYTES_S = 250_000_000
"""Said to be there: more than a hundred children take."""
PART_MS = 100
SECONDS = 30
SETTLE_S = 8.0

Times = list[dict[str, float]]


async def measure(report: Report, options: Options) -> None:
    """`--runs N`: N seconds of each. Parts: 40, 100."""
    seconds = options.count(SECONDS)
    for count in CHILDREN:
        if options.wants(str(count)):
            await _feed(report, count, seconds)
    report.note(
        f"children: {PER_PROCESS} to a process, each with an endpoint and a link of its own; they "
        "take every stripe and check nothing. The node that feeds them carries, it encodes nothing"
    )


async def _feed(report: Report, count: int, seconds: int) -> None:
    async with Cluster() as cluster, AsyncExitStack() as stack:
        flags = ["--carry", "--up-limit", str(UPLINK_BYTES_S), "--max-peers", "200"]
        source = await cluster.start_node("source", flags=flags)
        feeder = await cluster.start_node("feeder", join=[source], flags=flags)
        live = await on_air([source, feeder], bitrate_bps=BITRATE_BPS, height=480, stripes=STRIPES)
        first = await stack.enter_async_context(_children(source, live, 1))
        groups = [
            await stack.enter_async_context(_children(feeder, live, PER_PROCESS))
            for _ in range(count // PER_PROCESS)
        ]
        await asyncio.sleep(SETTLE_S)
        for each in (first, *groups):
            await each.ask("times")
        process = psutil.Process(feeder.pid)
        before, quic_before_s = process.cpu_times(), _quic_s(process)
        await asyncio.sleep(seconds)
        after, rss = process.cpu_times(), process.memory_info().rss
        quic_s = _quic_s(process) - quic_before_s
        feeding = [times for each in groups for times in await each.ask("times")]
        [at_source] = await first.ask("times")
    used_s = after.user + after.system - before.user - before.system
    added, lost = _compare(at_source, feeding)
    report.figure(f"cpu_percent_{count}", 100 * used_s / seconds, (), "of a core, all threads")
    report.beside(f"of that QUIC's own threads, {count}", [100 * quic_s / seconds])
    report.figure(f"rss_mb_{count}", rss / 1e6)
    if added:
        what = "a child of the source"
        report.figure(f"p99_added_ms_{count}", percentile(added, 0.99), added, what)
    made = len(at_source) / (seconds * 1000 / PART_MS)
    if made < 0.95:
        report.note(f"{count}: the source made {made:.0%} of its parts only: the machine is busy")
    report.figure(f"lost_{count}", lost)


def _quic_s(process: psutil.Process) -> float:
    """What all threads but Python's first have used: nearly all of it is encryption and sockets."""
    return sum(
        each.user_time + each.system_time for each in process.threads() if each.id != process.pid
    )


def _compare(at_source: dict[str, float], feeding: Times) -> tuple[list[float], int]:
    """Milliseconds that each part came later to each than to a child of the source, and how many
    never came. The first and the last that were seen do not count."""
    counted = sorted(at_source, key=int)[10:-10]
    added = [1e3 * (at[n] - at_source[n]) for at in feeding for n in counted if n in at]
    return added, len(counted) * len(feeding) - len(added)


@asynccontextmanager
async def _children(node: LabNode, live: str, count: int) -> AsyncIterator[Child]:
    """That are fed."""
    [bound] = {
        f"{each.laddr.ip}:{each.laddr.port}"
        for each in psutil.Process(node.pid).net_connections("udp4")
        if each.laddr.ip.startswith("127.") and not each.raddr
    }
    async with child("bench.live_children", live, STRIPES, count, node.id, bound) as started:
        await started.answer()
        yield started
