"""Twelve nodes carry a live; the one that feeds a measured viewer is killed, stopped, slowed."""

import asyncio
import random
import signal
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

from playwright.async_api import Page

from bench.browser import browser
from bench.live_nodes import Watcher, on_air
from bench.nodes import until
from bench.report import Options, Report, Targets, percentile
from headwater.lab.cluster import Cluster, LabNode

TARGETS: Targets = {
    "kill_p50_ms": ("<=", 300),
    "kill_p95_ms": ("<=", 450),
    "stop_p95_ms": ("<=", 900),
    "lost": ("<=", 0),
    "page_stalls": ("<=", 0),
    "mass_kill_page_stalls": ("<=", 0),
}
NODES = 12
SLOTS_BPS = 1_500_000
"""Uplink of each node in bytes a second: three children, so that there are relays to kill."""
BITRATE_BPS = 3_000_000
KILLS, STOPS, SLOWS, MASSES = 30, 10, 5, 5
SETTLE_S, WINDOW_S, FEEDER_S = 6.0, 4.0, 10.0
SLOW_BYTES_PER_S = 190_000
"""About half the bitrate."""
SHARE_KILLED = 0.3

STALLS = """() => {
  window.stalls = 0;
  const video = document.querySelector("video");
  for (const kind of ["waiting", "pause", "error"])
    video.addEventListener(kind, () => (window.stalls += 1));
}"""
PLAYED = """() => ({ stalls, at_s: document.querySelector("video").currentTime })"""
LEAST_PLAYED = 0.7
"""Of the time that passed: with less the page has stalled, whether it says so or not."""


async def measure(report: Report, options: Options) -> None:
    """Parts: kill, stop, slow, mass."""
    lost = stalls = 0
    for name, count in (("kill", KILLS), ("stop", STOPS), ("slow", SLOWS)):
        if not options.wants(name):
            continue
        gaps: list[float] = []
        while len(gaps) < options.count(count):
            async with _mesh() as mesh:
                while len(gaps) < options.count(count) and (feeder := await mesh.feeder()):
                    gap, missing, waits = await mesh.hurt([feeder], name)
                    gaps.append(gap)
                    lost += missing
                    stalls += waits
        if name != "slow":
            report.figure(f"{name}_p50_ms", statistics.median(gaps), gaps, "a part lasts 100 ms")
            report.figure(f"{name}_p95_ms", percentile(gaps, 0.95), gaps)
        else:
            report.beside("slow_gap_ms", gaps)
    report.figure("lost", lost)
    report.figure("page_stalls", stalls)
    if options.wants("mass"):
        waits, gaps = 0, []
        async with _mesh() as mesh:
            for _ in range(options.count(MASSES)):
                relays = [node for node in mesh.nodes[1:-1] if node.is_running]
                victims = random.sample(relays, round(SHARE_KILLED * NODES))
                gap, _, stalled = await mesh.hurt(victims, "kill")
                gaps.append(gap)
                waits += stalled
        report.figure("mass_kill_page_stalls", waits, (), f"{len(gaps)} times 30 % at once")
        report.beside("mass_gap_ms", gaps)


class _Mesh:
    """The source, ten relays, and the viewer whose page plays."""

    def __init__(
        self, cluster: Cluster, nodes: list[LabNode], live: str, watcher: Watcher, page: Page
    ) -> None:
        self.cluster, self.nodes, self._live = cluster, nodes, live
        self._watcher, self._page = watcher, page

    async def feeder(self) -> LabNode | None:
        """A relay, not the source, that the viewer is fed by; None when it stays with the source,
        as may be once many relays were killed."""
        viewer, source = self.nodes[-1], self.nodes[0]

        async def probe() -> LabNode | None:
            overlay = await asyncio.to_thread(viewer.api.get, f"/api/v1/lives/{self._live}/overlay")
            parents = [link["from"] for link in overlay["links"] if link["to"] == viewer.id]
            found = [node for node in self.nodes if node.id in parents and node is not source]
            return random.choice(found) if found else None

        try:
            return await until("a relay feeds the viewer", probe, timeout_s=FEEDER_S)
        except TimeoutError:
            return None

    async def hurt(self, victims: Sequence[LabNode], how: str) -> tuple[float, int, int]:
        """The longest silence at the viewer in milliseconds, parts lost, stalls in its page."""
        before = max(self._watcher.arrived)
        page = await self._page.evaluate(PLAYED)
        for victim in victims:
            match how:
                case "kill":
                    victim.kill(signal.SIGKILL)
                case "stop":
                    victim.kill(signal.SIGSTOP)
                case _:
                    victim.fault(f"slow {SLOW_BYTES_PER_S}")
        await asyncio.sleep(WINDOW_S)
        since = [seq for seq in sorted(self._watcher.arrived) if seq >= before]
        times = [self._watcher.arrived[seq] for seq in since]
        silence = max(b - a for a, b in pairwise(times)) if times[1:] else 99.0
        lost = self._watcher.lost(since[0], since[-1])
        after = await self._page.evaluate(PLAYED)
        stalled = after["stalls"] - page["stalls"]
        if after["at_s"] - page["at_s"] < LEAST_PLAYED * WINDOW_S:
            stalled = max(1, stalled)
        await asyncio.gather(*(self._again(victim, how) for victim in victims))
        await asyncio.sleep(SETTLE_S)
        return 1e3 * silence, lost, stalled

    async def _again(self, victim: LabNode, how: str) -> None:
        if how == "slow":
            victim.fault("slow 0")
            return
        node = await self.cluster.start_node(victim.name, join=[self.nodes[0]], flags=FLAGS)
        self.nodes[self.nodes.index(victim)] = node


FLAGS = ["--carry", "--up-limit", str(SLOTS_BPS)]


@asynccontextmanager
async def _mesh() -> AsyncIterator[_Mesh]:
    async with Cluster(is_faulty=True) as cluster, browser() as chromium:
        source = await cluster.start_node("source", flags=FLAGS)
        names = [*(f"relay-{n}" for n in range(1, NODES - 1)), "viewer"]
        joining = (cluster.start_node(name, join=[source], flags=FLAGS) for name in names)
        nodes = [source, *[await node for node in joining]]
        live = await on_air(nodes, bitrate_bps=BITRATE_BPS, height=360)
        watcher = Watcher(nodes[-1], live)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watcher.run())
            context = await chromium.new_context(bypass_csp=True)
            page = await context.new_page()
            await page.goto(f"{nodes[-1].page}/live/{live}")
            await page.wait_for_function("document.querySelector('video')?.currentTime > 3")
            await asyncio.sleep(SETTLE_S)  # once, after its start, it jumps to where it belongs
            await page.evaluate(STALLS)
            try:
                yield _Mesh(cluster, nodes, live, watcher, page)
            finally:
                watching.cancel()
                await context.close()
