"""Going live from the page: a made-up camera, a file, and the keys for an encoder."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from e2e_films import Films
from e2e_lives import ended, live_card, plays_on, sees
from e2e_loop import Loop
from e2e_nodes import ask
from e2e_pages import FLAGS, Pages, comes_true
from playwright.async_api import Browser, Page, Playwright, async_playwright, expect
from test_e2e_page import FAINT, NAMELESS, OUT_OF_REACH, WIDER

from headwater.lab.cluster import Cluster, LabNode

pytestmark = pytest.mark.timeout(150)

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@dataclass(frozen=True, slots=True)
class Club:
    stage: LabNode
    hall: LabNode


@pytest.fixture(scope="module")
def club(loop: Loop, cluster: Cluster) -> Iterator[Club]:
    async def start() -> Club:
        stage = await cluster.start_node("stage")
        return Club(stage, await cluster.start_node("hall", join=[stage]))

    yield loop.run(start())


@pytest.fixture(scope="module")
def camera(loop: Loop, chromium: str) -> Iterator[Browser]:
    """A browser with a camera and a microphone."""

    async def start() -> tuple[Playwright, Browser]:
        playwright = await async_playwright().start()
        flags = [*FLAGS, *CAMERA]
        return playwright, await playwright.chromium.launch(executable_path=chromium, args=flags)

    playwright, browser = loop.run(start())
    yield browser
    loop.run(browser.close())
    loop.run(playwright.stop())


@pytest.fixture
def rooms(loop: Loop, camera: Browser) -> Iterator[Pages]:
    pages = Pages(camera)
    yield pages
    loop.run(pages.close())
    assert not pages.errors, f"errors in the page: {pages.errors}"


async def _on_air(page: Page, node: LabNode) -> str:
    """The live that this page has just begun, once it is on air."""
    panel = page.get_by_test_id("on-air")
    await expect(panel).to_have_count(1)
    live = await panel.get_attribute("data-live")
    assert live is not None
    await sees(node, live, "on")
    return live


async def _end(page: Page) -> None:
    await page.get_by_test_id("end").click()
    await page.get_by_test_id("end-yes").click()
    await expect(page.get_by_test_id("on-air")).to_have_count(0)


async def test_a_camera_in_the_browser_is_seen_on_another_machine(club: Club, rooms: Pages) -> None:
    page = await rooms.open(club.stage)
    await page.get_by_test_id("golive-link").click()
    await page.get_by_test_id("way-camera").click()
    await expect(page.get_by_test_id("preview")).to_be_visible()
    await page.get_by_test_id("live-title").fill("From my camera")
    await page.get_by_test_id("go").click()
    live = await _on_air(page, club.hall)
    watching = await rooms.open(club.hall)
    await expect(live_card(watching, live)).to_contain_text("From my camera")
    await live_card(watching, live).click()
    await plays_on(watching, 2.0)
    # it goes on while its maker looks elsewhere, and says so
    await page.get_by_test_id("nav-library").click()
    await expect(page.get_by_test_id("golive-link")).to_contain_text("On air")
    await plays_on(watching, 1.0)
    await page.get_by_test_id("golive-link").click()
    await _end(page)
    await expect(watching.get_by_test_id("live-ended")).to_be_visible()
    await ended(club.stage, live)


async def test_a_file_in_the_browser_goes_on_air_at_its_own_pace(
    club: Club, rooms: Pages, films: Films
) -> None:
    page = await rooms.open(club.stage, "/golive")
    await page.get_by_test_id("live-file").set_input_files(films.get("long.mp4"))
    await expect(page.get_by_test_id("preview")).to_be_visible()
    await expect(page.get_by_test_id("live-title")).to_have_value("long")
    await page.get_by_test_id("go").click()
    live = await _on_air(page, club.hall)
    watching = await rooms.open(club.hall, f"/live/{live}")
    await plays_on(watching, 2.0)
    await _end(page)


async def test_an_encoder_gets_an_address_and_a_key(club: Club, pages: Pages) -> None:
    page = await pages.open(club.stage, "/golive")
    await page.get_by_test_id("way-encoder").click()
    await page.get_by_test_id("live-title").fill("From OBS")
    await page.get_by_test_id("go").click()
    panel = page.get_by_test_id("on-air")
    await expect(panel).to_contain_text("Waiting for an encoder")
    server = await panel.get_by_label("Server", exact=True).input_value()
    key = await panel.get_by_label("Stream key", exact=True).input_value()
    assert server.startswith("rtmp://127.0.0.1:") and len(key) >= 16
    told = (await ask(club.stage, "/api/v1/lives"))["lives"]
    assert [one["encoder"]["key"] for one in told if one["title"] == "From OBS"] == [key]
    others = (await ask(club.hall, "/api/v1/lives"))["lives"]
    assert all(one["encoder"] is None for one in others)
    await _end(page)


@pytest.mark.parametrize("width", [360, 1280])
async def test_its_pages_fit_have_names_and_stand_out(club: Club, pages: Pages, width: int) -> None:
    begun = await asyncio.to_thread(
        club.stage.api.post, "/api/v1/lives", {"source": "test:", "title": "A" + " long" * 30}
    )
    live = begun["id"]
    await sees(club.hall, live, "on")
    for scheme in ("light", "dark"):
        for node, path in ((club.stage, "/golive"), (club.hall, f"/live/{live}"), (club.hall, "/")):
            page = await pages.open(node, path, width=width, color_scheme=scheme)
            if path.startswith("/live"):
                await plays_on(page, 0.5)
                await page.get_by_test_id("live-share").click()
            elif path == "/golive":
                await page.get_by_test_id("way-encoder").click()
            else:
                await expect(live_card(page, live)).to_be_visible()
            assert await page.evaluate(NAMELESS) == [], path
            assert await page.evaluate(FAINT) == [], path
            if width == 360:
                assert await page.evaluate(WIDER) <= 0, path
                assert await page.evaluate(OUT_OF_REACH) == [], path
    await asyncio.to_thread(club.stage.api.delete, f"/api/v1/lives/{live}")
    await comes_true(page, "() => !document.querySelector('[data-testid=live-card]')")
