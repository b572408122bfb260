"""What the end-to-end tests ask of lives: on air, seen, played."""

import asyncio
from typing import Any

from e2e_nodes import until
from e2e_pages import LONG_S
from playwright.async_api import Locator, Page

from headwater.errors import NodeError
from headwater.lab.cluster import LabNode

__all__ = ["Told", "ended", "follows", "go_live", "live_card", "plays_on", "sees", "state_of_live"]

Told = dict[str, Any]

PLAYS_ON = """(more_s) => new Promise((resolve) => {
  const player = document.getElementById("live");
  const from = player.currentTime;
  const look = () => {
    const stage = document.querySelector("[data-testid=live-stage]");
    if (!stage || stage.dataset.phase !== "playing" || player.paused) return;
    if (player.currentTime < from + more_s && player.currentTime >= from) return;
    player.removeEventListener("timeupdate", look);
    resolve(player.currentTime);
  };
  player.addEventListener("timeupdate", look);
})"""

STATE = """() => {
  const player = document.getElementById("live");
  const stage = document.querySelector("[data-testid=live-stage]");
  const { buffered } = player ?? { buffered: [] };
  const end = buffered.length ? buffered.end(buffered.length - 1) : 0;
  return player && {
    time: player.currentTime, ahead: end - player.currentTime, paused: player.paused,
    ready: player.readyState, rate: player.playbackRate, error: player.error?.message,
    stage: stage && { ...stage.dataset }, says: stage && stage.innerText.slice(0, 200),
  };
}"""


async def go_live(node: LabNode, title: str, source: str = "test:", **more: object) -> Told:
    """The live, once it is on air."""
    wanted = {"source": source, "title": title, **more}
    begun = await asyncio.to_thread(node.api.post, "/api/v1/lives", wanted)
    return await sees(node, begun["id"], "on")


async def sees(node: LabNode, live: str, state: str, within_s: float = LONG_S) -> Told:
    """As this node knows it, once it is in that state there."""

    def probe() -> Told | None:
        try:
            found: Told = node.api.get(f"/api/v1/lives/{live}")
        except NodeError:
            return None
        return found if found["state"] == state else None

    return await until(f"{node.name} sees {live[:10]} {state}", probe, within_s)


async def ended(node: LabNode, live: str) -> Told:
    """The live as it is once it has its recording."""

    def probe() -> Told | None:
        found: Told = node.api.get(f"/api/v1/lives/{live}")
        return found if found["recording"] else None

    return await until(f"{node.name} has a recording of {live[:10]}", probe)


def live_card(page: Page, live: str) -> Locator:
    return page.locator(f"[data-testid=live-card][data-live='{live}']")


async def plays_on(page: Page, more_s: float = 1.0, within_s: float = LONG_S) -> float:
    """Where the live's player is once it has played so much more. Raises: TimeoutError."""
    try:
        await page.locator("#live").wait_for(state="attached")
        async with asyncio.timeout(within_s):
            return float(await page.evaluate(PLAYS_ON, more_s))
    except TimeoutError:
        told = await state_of_live(page)
        raise TimeoutError(f"the live does not play: {told}") from None


async def follows(page: Page, is_live: bool) -> None:
    """Until it is at the newest picture, or somewhere else."""
    wanted = f"[data-testid=live-stage][data-following='{str(is_live).lower()}']"
    await page.locator(wanted).wait_for(state="attached")


async def state_of_live(page: Page) -> Any:
    return await page.evaluate(STATE)
