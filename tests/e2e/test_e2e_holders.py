"""Machines that die while somebody watches: with one holder the page waits and says for whom, with
two nobody notices."""

import asyncio
import signal
from pathlib import Path

import pytest
from e2e_films import Films
from e2e_nodes import cli, holds, until
from e2e_pages import Pages, card, comes_true, pixels, plays_past, state_of
from playwright.async_api import expect

from headwater.lab.cluster import Cluster

pytestmark = pytest.mark.timeout(120)

SLOW = ("--up-limit", "350k")
"""Bytes a second: the film takes 185k, so that what is buffered is never all of it."""

NEVER_WAITED = """() => {
  const seen = (window.waited ??= []);
  new MutationObserver(() => {
    for (const each of document.querySelectorAll("[data-testid=waiting]"))
      if (each.innerText) seen.push(each.innerText);
  }).observe(document.body, {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
}"""


async def test_the_page_waits_for_the_only_holder_and_goes_on_by_itself(
    cluster: Cluster, pages: Pages, films: Films, folder: Path
) -> None:
    films.copy("long.mp4", folder)
    holder = await cluster.start_node("holder", folders=[folder], flags=SLOW)
    viewer = await cluster.start_node("viewer", join=[holder])
    video = await holds(viewer, "long")
    page = await pages.open(viewer)
    await page.evaluate("window.isTheSamePage = true")
    await card(page, video["id"]).click()
    await plays_past(page, 1)
    holder.kill()
    await holder.ended()
    await expect(page.get_by_test_id("waiting")).to_contain_text(
        "Waiting for holder", timeout=60_000
    )
    stood_at = (await state_of(page))["time"]
    await cluster.start_node("holder", folders=[folder], flags=SLOW, join=[viewer])
    await plays_past(page, stood_at + 1, within_s=60)
    await expect(page.get_by_test_id("waiting")).to_have_count(0)
    assert await pixels(page) > 20
    assert await page.evaluate("window.isTheSamePage")


@pytest.mark.alone
async def test_with_two_holders_nobody_notices_that_one_dies(
    cluster: Cluster, pages: Pages, films: Films, folder: Path
) -> None:
    films.copy("long.mp4", folder, "twice.mp4")
    first = await cluster.start_node("first", folders=[folder], flags=SLOW)
    second = await cluster.start_node("second", join=[first], flags=SLOW)
    await holds(second, "twice")
    other = folder.with_name("seconds")
    other.mkdir()
    films.copy("long.mp4", other, "twice.mp4")
    assert (await cli(second, "share", str(other / "twice.mp4"))).code == 0
    watcher = await cluster.start_node("watcher", join=[first, second])
    video = await holds(watcher, "twice")
    await until(
        "two machines have it",
        lambda: len(watcher.api.get(f"/api/v1/videos/{video['id']}")["holders"]) == 2,
    )
    page = await pages.open(watcher)
    await page.evaluate(NEVER_WAITED)
    await card(page, video["id"]).click()
    await plays_past(page, 1)
    await comes_true(page, "document.querySelectorAll('[data-testid=source-row]').length")
    rows = await page.get_by_test_id("source-row").all_inner_texts()
    feeding = first if "first" in rows[0] else second
    feeding.kill()
    await feeding.ended()
    killed_at = (await state_of(page))["time"]
    await plays_past(page, killed_at + 8)
    assert await page.evaluate("window.waited") == []


async def test_a_holder_that_stops_answering_is_waited_for_and_goes_on(
    cluster: Cluster, pages: Pages, films: Films, folder: Path
) -> None:
    """SIGSTOP: its connections stay open and say nothing."""
    films.copy("long.mp4", folder, "frozen.mp4")
    sleeper = await cluster.start_node("sleeper", folders=[folder], flags=SLOW)
    viewer = await cluster.start_node("awake", join=[sleeper])
    video = await holds(viewer, "frozen")
    page = await pages.open(viewer)
    await card(page, video["id"]).click()
    await plays_past(page, 1)
    sleeper.kill(signal.SIGSTOP)
    try:
        await expect(page.get_by_test_id("waiting")).to_contain_text("sleeper", timeout=60_000)
        stood_at = (await state_of(page))["time"]
    finally:
        sleeper.kill(signal.SIGCONT)
    await plays_past(page, stood_at + 1, within_s=60)


async def test_the_viewers_own_node_restarts_and_the_page_goes_on(
    cluster: Cluster, pages: Pages, films: Films, folder: Path
) -> None:
    films.copy("long.mp4", folder, "own.mp4")
    holder = await cluster.start_node("keeper", folders=[folder], flags=SLOW)
    mine = await cluster.start_node("mine", join=[holder])
    video = await holds(mine, "own")
    page = await pages.open(mine)
    await card(page, video["id"]).click()
    await plays_past(page, 1)
    http = mine.address
    mine.kill()
    await mine.ended()
    await expect(page.get_by_test_id("offline")).to_be_visible(timeout=30_000)
    mine = await cluster.start_node("mine", join=[holder], flags=["--http", http])
    await expect(page.get_by_test_id("offline")).to_be_hidden(timeout=30_000)
    stood_at = (await state_of(page))["time"]
    await plays_past(page, stood_at + 2, within_s=60)
    await asyncio.to_thread(mine.api.get, "/api/v1/status")
