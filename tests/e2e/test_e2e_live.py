"""Lives in a real Chromium: seen, joined, gone back in, and what becomes of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_lives import ended, follows, go_live, live_card, plays_on, sees, state_of_live
from e2e_loop import Loop
from e2e_pages import Pages, comes_true, plays_past, seek
from playwright.async_api import expect

from headwater.lab.cluster import Cluster, LabNode

pytestmark = [pytest.mark.timeout(120), pytest.mark.alone]


@dataclass(frozen=True, slots=True)
class Air:
    """`stage` sends, `hall` watches; `live` is on air all the time."""

    stage: LabNode
    hall: LabNode
    live: str


@pytest.fixture(scope="module")
def air(loop: Loop, cluster: Cluster) -> Iterator[Air]:
    async def start() -> Air:
        stage = await cluster.start_node("stage")
        hall = await cluster.start_node("hall", join=[stage])
        told = await go_live(stage, "Choir evening", height=180, fps=25)
        await sees(hall, told["id"], "on")
        return Air(stage, hall, told["id"])

    yield loop.run(start())


async def test_a_live_is_on_the_library_page_of_others_and_plays_at_a_click(
    air: Air, pages: Pages
) -> None:
    page = await pages.open(air.hall)
    card = live_card(page, air.live)
    await expect(card).to_be_visible()
    await expect(card).to_contain_text("Choir evening")
    await expect(card).to_contain_text("stage")
    await card.click()
    await plays_on(page, 2.0)
    await comes_true(page, "window.heard.length")
    await expect(page.get_by_test_id("is-live")).to_be_attached()
    await expect(page.get_by_test_id("viewers")).to_be_visible()
    await expect(page.get_by_test_id("delay")).to_contain_text("behind")
    told = await state_of_live(page)
    assert 0 < told["ahead"] < 3 and told["stage"]["stalls"] == "0"


async def test_the_overlay_is_drawn(air: Air, pages: Pages) -> None:
    page = await pages.open(air.hall, f"/live/{air.live}")
    await plays_on(page)
    picture = page.get_by_test_id("overlay")
    await expect(picture.get_by_test_id("overlay-node")).to_have_count(2)
    await expect(picture.get_by_test_id("overlay-line")).to_have_count(4)
    await expect(picture).to_contain_text("Fed by stage (all of it).")


async def test_it_begins_by_a_link_too_and_is_left_with_the_page(air: Air, pages: Pages) -> None:
    page = await pages.open(air.hall, f"/live/{air.live}")
    await plays_on(page)
    await page.get_by_test_id("nav-library").click()
    await expect(page.get_by_test_id("library")).to_be_visible()
    await comes_true(page, "performance.now() > 0")
    await live_card(page, air.live).click()
    await plays_on(page)


async def test_one_pauses_goes_back_and_returns_to_live(air: Air, pages: Pages) -> None:
    page = await pages.open(air.hall, f"/live/{air.live}")
    await plays_on(page, 6.0)
    await page.keyboard.press("k")
    await expect(page.get_by_test_id("live-play")).to_have_attribute("aria-label", "Go on")
    paused_at = (await state_of_live(page))["time"]
    await page.wait_for_timeout(3000)
    assert (await state_of_live(page))["time"] == pytest.approx(paused_at, abs=0.05)
    await page.keyboard.press("k")
    await plays_on(page, 1.0)
    await follows(page, False)
    before = (await state_of_live(page))["time"]
    await page.keyboard.press("ArrowLeft")
    await comes_true(page, "(t) => document.getElementById('live').currentTime < t - 3", before)
    await plays_on(page, 0.5)
    await page.get_by_test_id("to-live").click()
    await follows(page, True)
    await plays_on(page, 1.0)
    await comes_true(
        page,
        "() => { const e = document.getElementById('live');"
        " return e.buffered.end(e.buffered.length - 1) - e.currentTime < 2.5; }",
    )


async def test_one_goes_back_to_before_one_came(air: Air, pages: Pages) -> None:
    """What this node has from others who watched earlier, or from its own ring."""
    page = await pages.open(air.hall, f"/live/{air.live}")
    await plays_on(page, 4.0)
    began = (await state_of_live(page))["time"]
    await page.keyboard.press("Home")
    await follows(page, False)
    await plays_on(page, 1.0)
    assert (await state_of_live(page))["time"] < began
    await page.keyboard.press("End")
    await follows(page, True)
    await plays_on(page, 1.0)


async def test_to_and_fro_ends_where_one_wanted(air: Air, pages: Pages) -> None:
    """Each leap throws away what is buffered, while more of it is being appended."""
    page = await pages.open(air.hall, f"/live/{air.live}")
    await plays_on(page, 2.0)
    began = (await state_of_live(page))["time"]
    for _ in range(10):
        await page.keyboard.press("End")
        await page.keyboard.press("Home")
        await plays_on(page, 0.2)
        assert (await state_of_live(page))["time"] < began


BROKEN = """
window.sockets = [];
const Plain = WebSocket;
window.WebSocket = class extends Plain {
  constructor(address) { super(address); if (address.includes("/parts")) sockets.push(this); }
};
"""


async def test_a_broken_connection_is_made_again_and_nobody_sees_it(air: Air, pages: Pages) -> None:
    page = await pages.open(air.hall, "/")
    await page.add_init_script(BROKEN)
    await page.goto(f"{air.hall.page}/live/{air.live}")
    await plays_on(page, 2.0)
    stalls = (await state_of_live(page))["stage"]["stalls"]
    for _ in range(3):
        count = await page.evaluate("sockets.length")
        await page.evaluate("sockets.at(-1).close()")
        await page.evaluate("sockets.at(-1).onclose?.(new CloseEvent('close'))")
        await comes_true(page, "(n) => sockets.length > n", count)
        await plays_on(page, 1.0)
    assert (await state_of_live(page))["stage"]["stalls"] == stalls
    gaps = "document.getElementById('live').buffered.length"
    assert await page.evaluate(gaps) == 1  # not a part is missing


async def test_pictures_of_their_own_are_drawn(air: Air, pages: Pages) -> None:
    told = await go_live(air.stage, "Pictures", codec="mjpeg", height=180, fps=10)
    page = await pages.open(air.hall)
    await live_card(page, told["id"]).click()
    stage = page.locator("[data-testid=live-stage][data-phase=playing]")
    await stage.wait_for()
    drawn = """() => {
      const canvas = document.querySelector("[data-testid=live-canvas]");
      const seen = new Set();
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      for (let i = 0; i < data.length; i += 400) seen.add(data.slice(i, i + 3).join());
      return seen.size > 5 && canvas.height;
    }"""
    assert await comes_true(page, drawn) == 180
    await asyncio.to_thread(air.stage.api.delete, f"/api/v1/lives/{told['id']}")


async def test_the_end_leads_to_the_recording_which_is_sought_at_once(
    air: Air, pages: Pages
) -> None:
    told = await go_live(air.stage, "Short piece", height=180, fps=25)
    await sees(air.hall, told["id"], "on")
    page = await pages.open(air.hall, f"/live/{told['id']}")
    await plays_on(page, 6.0)
    mine = await pages.open(air.stage, "/golive")
    panel = mine.locator(f"[data-testid=on-air][data-live='{told['id']}']")
    await expect(panel).to_contain_text("On air")
    await panel.get_by_test_id("end").click()
    await panel.get_by_test_id("end-yes").click()
    await expect(panel).to_have_count(0)
    await ended(air.stage, told["id"])
    await page.get_by_test_id("recording").click()
    await plays_past(page, 0.5)
    duration = float(await page.evaluate("document.getElementById('player').duration"))
    assert duration > 5
    assert await seek(page, duration - 2) == pytest.approx(duration - 2, abs=0.1)
    await plays_past(page, duration - 1.5)


PLAYER = """<!doctype html><video id="live" muted></video><script src="/hls.js"></script>
<script>
  const hls = new Hls({ lowLatencyMode: true });
  window.fatal = [];
  hls.on(Hls.Events.ERROR, (_, told) => { if (told.fatal) fatal.push(told.details); });
  hls.loadSource(new URLSearchParams(location.search).get("list"));
  hls.attachMedia(document.getElementById("live"));
  window.hls = hls;
  document.getElementById("live").play();
</script>"""
HLS_JS = Path(__file__).parents[2] / "ui/node_modules/hls.js/dist/hls.light.js"


async def test_hls_js_plays_it_with_little_delay(air: Air, pages: Pages) -> None:
    """On a page of our own making, served in the node's name."""
    page = await pages.open(air.hall)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.route(
        "**/player.html**", lambda route: route.fulfill(body=PLAYER, content_type="text/html")
    )
    await page.route("**/hls.js", lambda route: route.fulfill(path=HLS_JS))
    await page.goto(f"{air.hall.page}/player.html?list=/live/{air.live}/index.m3u8")
    plays = "() => document.getElementById('live').currentTime"
    await comes_true(page, "() => document.getElementById('live').readyState >= 3")
    began = float(await page.evaluate(plays))
    await comes_true(page, "(t) => document.getElementById('live').currentTime > t + 6", began)
    assert await page.evaluate("fatal") == []
    details = (
        "(() => { const d = hls.levels[0].details; return [d.canBlockReload, d.partHoldBack]; })"
    )
    can_block, hold_back_s = await page.evaluate(details)
    assert can_block and hold_back_s <= 3  # as much as parts of uneven length get on a busy machine
    assert 0 < await page.evaluate("hls.latency") < 10
    assert any("_HLS_part=" in url for url in asked)
