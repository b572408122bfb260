"""A headless Chromium, and what is asked of its pages: click to `playing`, seek to `seeked`."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from playwright.async_api import Browser, Page, async_playwright

from tools.browser import ADVICE, find

__all__ = [
    "AFTER_CLICK",
    "LIMIT_MS",
    "WATCHER",
    "Start",
    "browser",
    "buffered",
    "page_of",
    "play",
    "seek",
]

LIMIT_MS = 30_000
"""A picture that never comes counts as this much."""
SETTLE_MS = 300
"""Between the page being drawn and the click: nobody is faster."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)

WATCHER = """
(() => {
  const marks = {};
  const kinds = ["loadstart", "loadedmetadata", "loadeddata", "canplay", "playing", "error"];
  let arrived;
  window.bench = { marks, playing: new Promise((resolve) => (arrived = resolve)) };
  addEventListener("click", () => (marks.click ??= performance.now()), true);
  const note = (event) => {
    if (!(event.target instanceof HTMLVideoElement) || marks.click === undefined) return;
    marks[event.type] ??= performance.now();
    if (event.type === "playing") arrived();
  };
  const create = Document.prototype.createElement;
  // The element may play before it is in the page, where no listener of the page hears it.
  Document.prototype.createElement = function (name, ...rest) {
    const made = create.call(this, name, ...rest);
    if (made instanceof HTMLVideoElement)
      for (const kind of kinds) made.addEventListener(kind, note, true);
    return made;
  };
  for (const kind of kinds) addEventListener(kind, note, true);
})();
"""

AFTER_CLICK = """(limit_ms) => Promise.race([
  bench.playing, new Promise((resolve) => setTimeout(resolve, limit_ms))
]).then(() => {
  const { click, ...rest } = bench.marks;
  return Object.fromEntries(Object.entries(rest).map(([kind, at]) => [kind, at - click]));
})"""

SEEK = """([to_s, limit_ms]) => new Promise((resolve) => {
  const video = document.getElementById("player");
  const began = performance.now();
  video.addEventListener("seeked", () => resolve(performance.now() - began), { once: true });
  setTimeout(() => resolve(limit_ms), limit_ms);
  video.currentTime = to_s;
})"""

BUFFERED = """() => {
  const { buffered } = document.getElementById("player");
  return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
}"""


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a video. `since_ms`: the media element's events, from the click on."""

    since_ms: dict[str, float]

    @property
    def playing_ms(self) -> float:
        return self.since_ms.get("playing", float(LIMIT_MS))


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium with a profile of its own. Raises: RuntimeError where there is none."""
    path = find()
    if path is None:
        raise RuntimeError(ADVICE)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield chromium
        finally:
            await chromium.close()


@contextlib.asynccontextmanager
async def page_of(chromium: Browser, address: str) -> AsyncIterator[Page]:
    """A page with its first card drawn and its posters there; nothing cached from earlier ones."""
    # The page's own policy would forbid what is asked of it here.
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    try:
        page = await context.new_page()
        await page.add_init_script(WATCHER)
        await page.goto(address)
        await page.get_by_test_id("card").first.wait_for(timeout=LIMIT_MS)
        await page.wait_for_function("[...document.images].every((image) => image.complete)")
        await page.wait_for_timeout(SETTLE_MS)
        yield page
    finally:
        await context.close()


async def play(page: Page, held_ms: int = 0) -> Start:
    """Click the first card, the button held so long, and wait until it plays."""
    await page.get_by_test_id("card").first.click(delay=held_ms)
    return Start(await page.evaluate(AFTER_CLICK, LIMIT_MS))


async def seek(page: Page, to_s: float) -> float:
    """Milliseconds from setting the player's position to `seeked`."""
    return float(await page.evaluate(SEEK, [to_s, LIMIT_MS]))


async def buffered(page: Page) -> list[tuple[float, float]]:
    """What the player holds, in seconds."""
    return [(start, end) for start, end in await page.evaluate(BUFFERED)]
