"""A headless Chromium and what a person sees and does in the page; its CSP stays in force."""

import asyncio
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Playwright,
    async_playwright,
)

from headwater.lab.cluster import LabNode

__all__ = [
    "LONG_S",
    "Pages",
    "card",
    "comes_true",
    "launch",
    "pixels",
    "plays_past",
    "seek",
    "state_of",
]

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
LONG_S = 30.0
POLL_S = 0.05

LISTENER = """
window.heard = [];
addEventListener("headwater:playing", (event) => heard.push(event.detail.id));
"""

PLAYS_PAST = """(to_s) => new Promise((resolve) => {
  const player = document.getElementById("player");
  const look = () => {
    if (player.paused || player.seeking || player.readyState < 2) return;
    if (player.currentTime <= to_s) return;
    player.removeEventListener("timeupdate", look);
    resolve(player.currentTime);
  };
  player.addEventListener("timeupdate", look);
  look();
})"""

SEEK = """(to_s) => new Promise((resolve) => {
  const player = document.getElementById("player");
  player.addEventListener("seeked", () => resolve(player.currentTime), { once: true });
  player.currentTime = to_s;
})"""

PIXELS = """() => {
  const player = document.getElementById("player"), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 36];
  const context = canvas.getContext("2d");
  context.drawImage(player, 0, 0, 64, 36);
  const rgba = context.getImageData(0, 0, 64, 36).data;
  const seen = new Set();
  for (let i = 0; i < rgba.length; i += 4) seen.add(rgba.slice(i, i + 3).join());
  return seen.size;
}"""

STATE = """() => {
  const player = document.getElementById("player");
  const stage = document.querySelector("[data-testid=stage]");
  return player && {
    time: player.currentTime, duration: player.duration, paused: player.paused,
    seeking: player.seeking, ready: player.readyState, src: player.currentSrc,
    error: player.error && player.error.message,
    buffered: Array.from({ length: player.buffered.length },
      (_, i) => [player.buffered.start(i), player.buffered.end(i)]),
    phase: stage && stage.dataset.phase, says: stage && stage.innerText.slice(0, 200),
  };
}"""


async def launch(chromium: str) -> tuple[Playwright, Browser]:
    playwright = await async_playwright().start()
    browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
    return playwright, browser


class Pages:
    """The pages of one test, each with a profile of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.errors: list[str] = []

    async def open(
        self,
        node: LabNode | str,
        path: str = "/",
        *,
        width: int = 1280,
        height: int = 800,
        **more: Any,
    ) -> Page:
        context = await self._browser.new_context(
            viewport={"width": width, "height": height}, **more
        )
        self._contexts.append(context)
        context.set_default_timeout(1000 * LONG_S)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.add_init_script(LISTENER)
        await page.goto(f"{node.page if isinstance(node, LabNode) else node}{path}")
        return page

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()


def card(page: Page, video: str) -> Locator:
    """The video's card in the library."""
    return page.locator(f"[data-testid=card][data-video='{video}']").first


async def plays_past(page: Page, to_s: float = 0.5, within_s: float = LONG_S) -> float:
    """Where the player is once it has played on past `to_s`. Raises: TimeoutError."""
    try:
        await page.locator("#player").wait_for(state="attached")
        async with asyncio.timeout(within_s):
            return float(await page.evaluate(PLAYS_PAST, to_s))
    except TimeoutError:
        raise TimeoutError(f"it does not play past {to_s} s: {await state_of(page)}") from None


async def seek(page: Page, to_s: float, within_s: float = LONG_S) -> float:
    """Where the player is once it has arrived."""
    try:
        async with asyncio.timeout(within_s):
            return float(await page.evaluate(SEEK, to_s))
    except TimeoutError:
        raise TimeoutError(f"it never arrived at {to_s} s: {await state_of(page)}") from None


async def comes_true(page: Page, expression: str, argument: object = None) -> Any:
    """What the script finds once it finds something: the page's CSP forbids Playwright's own way.

    Raises: TimeoutError."""
    try:
        async with asyncio.timeout(LONG_S):
            while True:
                if found := await page.evaluate(expression, argument):
                    return found
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise TimeoutError(f"it never came true: {expression}; {await state_of(page)}") from None


async def pixels(page: Page) -> int:
    """How many colours the picture has now: a blank one has one."""
    return int(await page.evaluate(PIXELS))


async def state_of(page: Page) -> Any:
    """The player as it is now, for messages."""
    return await page.evaluate(STATE)
