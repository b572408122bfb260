"""The page for everybody: on a phone, by keyboard alone, with a screen reader, behind its CSP."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from e2e_films import Films, noise
from e2e_loop import Loop
from e2e_nodes import holds
from e2e_pages import Pages, card, comes_true, plays_past, state_of
from playwright.async_api import Page, expect

from headwater.lab.cluster import Cluster, LabNode

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True, slots=True)
class House:
    """`home` has some films and a plain file, and one other machine; `film` is the id of one."""

    home: LabNode
    film: str


@pytest.fixture(scope="module")
def house(
    loop: Loop, cluster: Cluster, films: Films, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    long_name = "A very long title that nobody would ever give to a film but that comes " * 2

    async def start() -> House:
        films.copy("with subtitles.mp4", folder, "Alpha.mp4")
        films.copy("index in front.mp4", folder, f"{long_name.strip()}.mp4")
        films.copy("royalty free.webm", folder, "Unbroken" + "x" * 80 + ".webm")
        noise(folder / "archive.bin", 200_000)
        home = await cluster.start_node("home", folders=[folder])
        away = await cluster.start_node("A machine whose name is rather long", join=[home])
        film = await holds(home, "Alpha")
        for title in ("Unbroken" + "x" * 80, "archive"):
            await holds(away, title)
        return House(home, film["id"])

    yield loop.run(start())


PLACES = ("/", "/?scope=all", "/watch/{film}", "/machines", "/activity", "/settings", "/nowhere")

WIDER = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""

OUT_OF_REACH = """() => {
  const wanted = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  const out = [];
  for (const each of document.querySelectorAll(wanted)) {
    if (each.closest("[aria-hidden=true], [inert], .visually-hidden, .skip")) continue;
    if (each.matches("[type=file], [tabindex='-1']") || each.disabled) continue;
    if (!each.checkVisibility({ visibilityProperty: true })) continue;
    each.scrollIntoView({ block: "center", inline: "nearest" });
    const box = each.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    if (box.left < -1 || box.right > innerWidth + 1)
      out.push(`${each.outerHTML.slice(0, 120)} at ${box.left}..${box.right}`);
  }
  return out;
}"""

AFTER = """(t) => {
  const now = document.getElementById("player").currentTime;
  return now > t && now;
}"""

NAMELESS = """() => {
  const nameOf = (each) => {
    const by = (each.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean)
      .map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
    const labels = [...(each.labels ?? [])].map((label) => label.textContent).join(" ");
    const images = [...each.querySelectorAll("img")].map((image) => image.alt).join(" ");
    return [by, each.getAttribute("aria-label"), labels, each.innerText, images, each.title]
      .map((text) => (text ?? "").trim()).find(Boolean) ?? "";
  };
  const told = [];
  const hidden = (each) => each.closest("[aria-hidden=true]") || !each.checkVisibility();
  const named = "button, a[href], input, select, textarea, summary, [role=progressbar], [role=img]";
  for (const each of document.querySelectorAll(named))
    if (!hidden(each) && !nameOf(each)) told.push(`no name: ${each.outerHTML.slice(0, 150)}`);
  for (const each of document.images)
    if (!each.hasAttribute("alt")) told.push(`no alt: ${each.outerHTML.slice(0, 150)}`);
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i)))
    told.push(`twice: #${id}`);
  for (const each of document.querySelectorAll("[aria-controls], [aria-describedby]"))
    for (const id of each.getAttribute("aria-describedby")?.split(" ").filter(Boolean) ?? [])
      if (!document.getElementById(id)) told.push(`describes nothing: ${id}`);
  if (document.querySelectorAll("main").length !== 1) told.push("not one main");
  if (!document.documentElement.lang) told.push("no language");
  if (!document.title.trim()) told.push("no title");
  const headings = [...document.querySelectorAll("h1, h2, h3, h4")].filter((each) => !hidden(each));
  headings.reduce((level, each) => {
    const own = Number(each.tagName[1]);
    if (level && own > level + 1) told.push(`h${level} then h${own}: ${each.innerText}`);
    return own;
  }, 0);
  return told;
}"""


async def _arrived(page: Page, house: House, path: str) -> None:
    """The page shows what it is about."""
    if path.startswith("/watch"):
        await plays_past(page, 0.1)
    elif path == "/":
        await expect(page.get_by_test_id("card").first).to_be_visible()
    else:
        await expect(page.locator("main").locator("h1, h2").first).to_be_visible()


@pytest.mark.parametrize("path", PLACES)
async def test_on_a_phone_nothing_is_wider_than_the_screen_or_out_of_reach(
    house: House, pages: Pages, path: str
) -> None:
    page = await pages.open(
        house.home, path.format(film=house.film), width=360, height=740, has_touch=True
    )
    await _arrived(page, house, path)
    assert await page.evaluate(WIDER) <= 0
    assert await page.evaluate(OUT_OF_REACH) == []


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("width", [360, 1280])
async def test_everything_has_a_name_for_those_who_do_not_see_it(
    house: House, pages: Pages, path: str, width: int
) -> None:
    page = await pages.open(house.home, path.format(film=house.film), width=width)
    await _arrived(page, house, path)
    assert await page.evaluate(NAMELESS) == []


async def test_by_keyboard_alone_one_finds_and_plays_a_film(house: House, pages: Pages) -> None:
    page = await pages.open(house.home, "/machines")
    await page.keyboard.press("/")
    await expect(page.get_by_test_id("search")).to_be_focused()
    await page.keyboard.type("alpha")
    await expect(page.get_by_test_id("card")).to_have_count(1)
    await page.keyboard.press("Enter")  # from the words to the first film
    await expect(card(page, house.film)).to_be_focused()
    await page.keyboard.press("Enter")
    await plays_past(page, 0.3)
    await page.keyboard.press(" ")
    await comes_true(page, "document.getElementById('player').paused")
    before = (await state_of(page))["time"]
    await page.keyboard.press("ArrowRight")
    after = await comes_true(
        page,
        AFTER,
        before,
    )
    assert after == pytest.approx(before + 5, abs=0.5)
    await page.keyboard.press("ArrowLeft")
    await comes_true(page, "(t) => document.getElementById('player').currentTime < t", after - 4)
    await page.keyboard.press("?")
    await expect(page.get_by_test_id("keys")).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_test_id("keys")).to_be_hidden()
    await page.keyboard.press("c")
    await comes_true(
        page,
        "[...document.getElementById('player').textTracks].some((t) => t.mode === 'showing')",
    )
    await page.keyboard.press("5")
    half = (await state_of(page))["duration"] / 2
    await comes_true(
        page, "(t) => Math.abs(document.getElementById('player').currentTime - t) < 0.3", half
    )
    await page.keyboard.press("k")
    await plays_past(page, half + 0.2)
    await page.go_back()
    await expect(page.get_by_test_id("card").first).to_be_visible()


async def test_a_film_is_fetched_while_the_finger_goes_down(house: House, pages: Pages) -> None:
    page = await pages.open(house.home)
    await card(page, house.film).hover()
    async with page.expect_request(f"**/v/{house.film}/file*"):
        await page.mouse.down()
    await comes_true(page, "document.getElementById('player').readyState >= 2")
    now = await state_of(page)
    assert now["paused"] and "/watch/" not in page.url
    await page.mouse.up()
    await plays_past(page, 0.1)
    assert (await state_of(page))["src"] == now["src"]


@pytest.mark.parametrize("elsewhere", ["beside it", "scrolls"])
async def test_what_was_no_click_is_let_go(house: House, pages: Pages, elsewhere: str) -> None:
    page = await pages.open(house.home)
    film = card(page, house.film)
    if elsewhere == "scrolls":
        await film.dispatch_event("pointerdown", {"button": 0, "pointerType": "touch"})
        await comes_true(page, "document.getElementById('player')?.src")
        await film.dispatch_event("pointercancel", {"pointerType": "touch"})
        assert not await page.evaluate("document.getElementById('player').src")
    else:
        await film.hover()
        await page.mouse.down()
        await comes_true(page, "document.getElementById('player')?.src")
        await page.mouse.move(2, 2)
        await page.mouse.up()
    await comes_true(page, "!document.getElementById('player')?.src")
    await film.click()
    await plays_past(page, 0.1)


async def test_tab_walks_through_the_page_and_the_focus_shows(house: House, pages: Pages) -> None:
    page = await pages.open(house.home)
    await expect(card(page, house.film)).to_be_visible()
    seen = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        now = await page.evaluate(
            """() => {
              const each = document.activeElement, style = getComputedStyle(each);
              const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
              const box = each.getBoundingClientRect();
              return { what: each.dataset.testid ?? each.className, tag: each.tagName,
                       ring: ring || style.boxShadow !== "none", wide: box.width };
            }"""
        )
        if now["tag"] == "BODY":
            break
        seen.append(now)
    assert [each for each in seen if not each["ring"]] == []
    assert {"search", "nav-machines", "card"} <= {each["what"] for each in seen}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_words_stand_out_from_what_they_lie_on(
    house: House, pages: Pages, scheme: str
) -> None:
    """WCAG AA: 4.5 to 1, or 3 to 1 for large text, measured on what is drawn."""
    page = await pages.open(house.home, color_scheme=scheme)
    for path in ("/", "/machines", "/settings"):
        await page.goto(f"{house.home.page}{path}")
        await _arrived(page, house, path)
        assert await page.evaluate(FAINT) == [], path


FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (each) => {
    const layers = [];
    for (let at = each; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      layers.push(rgba(style.backgroundColor));
    }
    const is_dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const paper = is_dark ? [18, 18, 18] : [255, 255, 255];
    return layers.reverse().reduce((below, top) => over(top, below), paper);
  };
  const told = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const each = text.parentElement;
    if (!text.textContent.trim() || !each.checkVisibility({ opacityProperty: true })) continue;
    if (each.closest(".visually-hidden, .skip, .picture, [data-testid=stage]")) continue;
    if (each.closest(":disabled, script, style")) continue;
    const style = getComputedStyle(each), below = ground(each);
    if (!below) continue;
    const a = light(over(rgba(style.color), below)), b = light(below);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    const needed = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    if (ratio < needed) told.push(`${text.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return told;
}"""


async def test_the_pages_own_policy_is_never_broken(house: House, pages: Pages) -> None:
    """Nothing from elsewhere, nothing evaluated: what a browser blocks it says in its console."""
    page = await pages.open(house.home)
    blocked: list[str] = []
    page.on("console", lambda line: blocked.append(line.text) if line.type == "error" else None)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in PLACES:
        await page.goto(f"{house.home.page}{path.format(film=house.film)}")
        await _arrived(page, house, path)
    assert [line for line in blocked if "Content Security Policy" in line] == []
    assert [url for url in asked if not url.startswith((house.home.page, "blob:", "data:"))] == []


async def test_people_who_want_little_motion_get_little(house: House, pages: Pages) -> None:
    page = await pages.open(house.home, reduced_motion="reduce")
    await expect(card(page, house.film)).to_be_visible()
    moving = await page.evaluate(
        """() => [...document.querySelectorAll("*")].filter((each) => {
          const style = getComputedStyle(each);
          const longest = (text) => Math.max(...text.split(",").map(parseFloat));
          const lasts = [style.transitionDuration, style.animationDuration].map(longest);
          return Math.max(...lasts) > 0.05;
        }).map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert moving == []
