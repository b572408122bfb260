"""From the click on a live to its picture, on a node that takes no part in it yet."""

import statistics

from playwright.async_api import Browser

from bench.browser import AFTER_CLICK, LIMIT_MS, WATCHER, browser
from bench.live_nodes import heard_of, on_air
from bench.report import Options, Report, Targets, percentile
from headwater.lab.cluster import Cluster

TARGETS: Targets = {"p50_ms": ("<=", 300), "p95_ms": ("<=", 600)}
RUNS = 20
RELAYS = 3
SETTLE_MS = 500
"""Between the page being drawn and the click: nobody is faster."""


async def measure(report: Report, options: Options) -> None:
    samples: list[float] = []
    async with Cluster() as cluster, browser() as chromium:
        source = await cluster.start_node("source")
        names = [f"relay-{n}" for n in range(1, RELAYS + 1)]
        carrying = (cluster.start_node(n, join=[source], flags=["--carry"]) for n in names)
        relays = [await node for node in carrying]
        live = await on_air([source, *relays])
        for _ in range(options.count(RUNS)):
            viewer = await cluster.start_node("viewer", join=[source, *relays])
            await heard_of(viewer, live)
            samples.append(await _click(chromium, viewer.page))
            await viewer.stop()
    report.figure("p50_ms", statistics.median(samples), samples)
    report.figure("p95_ms", percentile(samples, 0.95), samples)


async def _click(chromium: Browser, address: str) -> float:
    """Milliseconds to `playing`; LIMIT_MS when it never played."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    try:
        page = await context.new_page()
        await page.add_init_script(WATCHER)
        await page.goto(address)
        card = page.get_by_test_id("live-card").first
        await card.wait_for(timeout=LIMIT_MS)
        await page.wait_for_timeout(SETTLE_MS)
        await card.click()
        since_ms = await page.evaluate(AFTER_CLICK, LIMIT_MS)
        return float(since_ms.get("playing", LIMIT_MS))
    finally:
        await context.close()
