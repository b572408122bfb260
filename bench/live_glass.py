"""From a picture being made to that picture shown in a browser four hops away."""

import asyncio
import statistics
import tempfile
from pathlib import Path

from bench.browser import browser
from bench.live_nodes import on_air, start_all
from bench.report import Options, Report, Targets, percentile
from headwater.lab.cluster import Cluster
from headwater.link.topology import chain

TARGETS: Targets = {"p50_ms": ("<=", 500), "p95_ms": ("<=", 800)}
NAMES = ["source", "relay 1", "relay 2", "relay 3", "viewer"]
SECONDS = 60
SETTLE_S = 5.0

READ = """() => {
  // The clock of media/live_clock.py: 64 blocks, below them their opposites.
  const video = document.querySelector("video"), canvas = document.createElement("canvas");
  canvas.width = 64; canvas.height = 2;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const crc = (bytes) => bytes.reduce((sum, byte) => {
    sum ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) sum = ((sum << 1) ^ (sum & 0x8000 ? 0x1021 : 0)) & 0xffff;
    return sum;
  }, 0xffff);
  window.glass = { late: [], unread: 0 };
  const read = () => {
    const shown = performance.timeOrigin + performance.now();
    pen.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 12, 0, 0, 64, 2);
    const { data } = pen.getImageData(0, 0, 64, 2);
    const at = (x, y) => data.subarray(4 * (64 * y + x), 4 * (64 * y + x) + 3);
    const light = (x, y) => at(x, y).reduce((sum, colour) => sum + colour);
    const bytes = Array.from({ length: 8 }, (_, n) => {
      let byte = 0;
      for (let x = 8 * n; x < 8 * n + 8; x++) byte = 2 * byte + (light(x, 0) > light(x, 1));
      return byte;
    });
    const made = bytes.slice(0, 6).reduce((v, byte) => 256 * v + byte, 0);
    if (crc(bytes.slice(0, 6)) === 256 * bytes[6] + bytes[7]) glass.late.push(shown - made);
    else glass.unread += 1;
    video.requestVideoFrameCallback(read);
  };
  video.requestVideoFrameCallback(read);
}"""


async def measure(report: Report, options: Options) -> None:
    """`--runs N`: N seconds."""
    seconds = options.count(SECONDS)
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        async with Cluster() as cluster, browser() as chromium:
            nodes = await start_all(cluster, chain(NAMES), Path(folder))
            live = await on_air(nodes)
            context = await chromium.new_context(bypass_csp=True)
            page = await context.new_page()
            await page.goto(f"{nodes[-1].page}/live/{live}")
            await page.wait_for_function("document.querySelector('video')?.currentTime > 0")
            await asyncio.sleep(SETTLE_S)
            await page.evaluate(READ)
            await asyncio.sleep(seconds)
            glass = await page.evaluate("glass")
            await context.close()
    late = [float(ms) for ms in glass["late"]]
    report.figure("p50_ms", statistics.median(late), late)
    report.figure("p95_ms", percentile(late, 0.95), late)
    report.note(f"{len(late)} pictures read in {seconds} s, {glass['unread']} could not be read")
