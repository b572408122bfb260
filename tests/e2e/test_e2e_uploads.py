"""Files that a person gives to the page: chosen, dropped, cancelled; then others play them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_films import Films, noise
from e2e_loop import Loop
from e2e_nodes import holds, until
from e2e_pages import Pages, card, comes_true, pixels, plays_past
from playwright.async_api import Page, expect

from headwater.lab.cluster import Cluster, LabNode

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True, slots=True)
class Pair:
    """`giver` gets the uploads, `taker` watches."""

    giver: LabNode
    taker: LabNode


@pytest.fixture(scope="module")
def pair(loop: Loop, cluster: Cluster) -> Iterator[Pair]:
    async def start() -> Pair:
        giver = await cluster.start_node("giver")
        return Pair(giver, await cluster.start_node("taker", join=[giver]))

    yield loop.run(start())


async def slow_down(page: Page, bytes_per_s: int) -> None:
    """What the page sends; -1 for no limit."""
    devtools = await page.context.new_cdp_session(page)
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
    await devtools.send("Network.enable")
    await devtools.send(
        "Network.emulateNetworkConditions", {**conditions, "uploadThroughput": bytes_per_s}
    )


async def drop(page: Page, *files: Path) -> None:
    """As from the desktop: the browser itself is told of the files."""
    devtools = await page.context.new_cdp_session(page)
    carried = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver"):
        await devtools.send(
            "Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": carried}
        )
    await expect(page.get_by_test_id("drop")).to_contain_text("Drop to share")
    await devtools.send(
        "Input.dispatchDragEvent", {"type": "drop", "x": 300, "y": 300, "data": carried}
    )


async def test_a_chosen_file_shows_its_progress_and_plays_elsewhere(
    pair: Pair, pages: Pages, films: Films
) -> None:
    page = await pages.open(pair.giver)
    await slow_down(page, 4_000_000)
    await page.get_by_test_id("upload-input").set_input_files(films.get("long.mp4"))
    bar = page.locator("[data-testid=upload] [role=progressbar]")
    seen = await comes_true(
        page,
        """() => {
          const bar = document.querySelector("[data-testid=upload] [role=progressbar]");
          const now = Number(bar?.getAttribute("aria-valuenow") ?? 0);
          return 0 < now && now < 100 && document.querySelector("[data-testid=upload]").innerText;
        }""",
    )
    assert "long.mp4" in seen and "B of 17 MB" in seen
    await slow_down(page, -1)
    await expect(bar).to_have_count(0, timeout=30_000)
    video = await holds(pair.taker, "long")
    await expect(card(page, video["id"])).to_be_visible(timeout=30_000)
    watching = await pages.open(pair.taker)
    await card(watching, video["id"]).click()
    await plays_past(watching)
    assert await pixels(watching) > 20


async def test_dropped_files_are_shared_and_play_elsewhere(
    pair: Pair, pages: Pages, films: Films, folder: Path
) -> None:
    one = films.copy("index in front.mp4", folder, "Dropped Привет.mp4")
    other = films.copy("index behind.mp4", folder, "Dropped as well.mp4")
    page = await pages.open(pair.giver)
    await drop(page, one, other)
    watching = await pages.open(pair.taker)
    for title in ("Dropped Привет", "Dropped as well"):
        video = await holds(pair.taker, title)
        await expect(card(page, video["id"])).to_be_visible(timeout=30_000)
        await watching.goto(f"{pair.taker.page}/watch/{video['id']}")
        await plays_past(watching)


async def test_of_a_cancelled_upload_nothing_is_left(
    pair: Pair, pages: Pages, folder: Path
) -> None:
    path = noise(folder / "never mind.bin", 20_000_000)
    uploads = pair.giver.state / "uploads"
    page = await pages.open(pair.giver)
    await slow_down(page, 2_000_000)
    await page.get_by_test_id("upload-input").set_input_files(path)
    await until("bytes arrive", lambda: any(f.stat().st_size for f in uploads.glob("*.part")))
    await page.get_by_role("button", name="Cancel never mind.bin").first.click()
    await expect(page.get_by_test_id("upload")).to_have_count(0)
    await until("the part is gone", lambda: not list(uploads.glob("*.part")))
    jobs = await until("the job has ended", lambda: _jobs(pair.giver, "never mind.bin"))
    assert {job["phase"] for job in jobs} == {"cancelled"}
    assert not any("never mind" in path.name for path in uploads.iterdir())
    shares = pair.giver.api.get("/api/v1/shares")["shares"]
    assert not any("never mind" in share["path"] for share in shares)


def _jobs(node: LabNode, title: str) -> list[dict[str, str]]:
    """Those of that title, once none of them runs any more."""
    jobs = [job for job in node.api.get("/api/v1/jobs")["jobs"] if job["title"] == title]
    return jobs if all(job["phase"] in ("done", "failed", "cancelled") for job in jobs) else []


async def test_a_page_that_is_closed_in_the_middle_leaves_nothing(
    pair: Pair, pages: Pages, folder: Path
) -> None:
    path = folder / "closed.bin"
    path.touch()
    os.truncate(path, 300_000_000)  # the brake goes with the page: less may get through before that
    uploads = pair.giver.state / "uploads"
    page = await pages.open(pair.giver)
    await slow_down(page, 2_000_000)
    await page.get_by_test_id("upload-input").set_input_files(path)
    await until("bytes arrive", lambda: any(f.stat().st_size for f in uploads.glob("*.part")))
    await page.close()
    await until("the part is gone", lambda: not list(uploads.glob("*.part")))
    jobs = await until("the job has ended", lambda: _jobs(pair.giver, "closed.bin"))
    assert {job["phase"] for job in jobs} == {"cancelled"}
    assert not any("closed" in path.name for path in uploads.iterdir())
    assert "Traceback" not in pair.giver.log.read_text()


async def test_two_uploads_of_one_name_are_two_files(
    pair: Pair, pages: Pages, films: Films, folder: Path
) -> None:
    one = films.copy("index in front.mp4", folder, "same name.mp4")
    page = await pages.open(pair.giver)
    await page.get_by_test_id("upload-input").set_input_files(one)
    await holds(pair.giver, "same name")
    one.unlink()
    films.copy("royalty free.webm", folder, "same name.mp4")
    await page.get_by_test_id("upload-input").set_input_files(one)

    def both() -> bool:
        found = pair.giver.api.get("/api/v1/videos", q="same name")["videos"]
        return len({video["id"] for video in found}) == 2

    await until("both are there", both)


async def test_an_upload_outlives_its_sharing_until_its_owner_says_so(
    pair: Pair, pages: Pages, folder: Path
) -> None:
    page = await pages.open(pair.giver)
    given = noise(folder / "Only copy.bin", 200_000, seed=77)
    await page.get_by_test_id("upload-input").set_input_files(given)
    video = (await holds(pair.giver, "Only copy"))["id"]
    path = pair.giver.state / "uploads" / given.name
    await page.goto(f"http://{pair.giver.address}/watch/{video}")
    await page.get_by_test_id("unshare").click()
    await page.get_by_test_id("unshare-yes").click()
    notices = page.get_by_test_id("notices")
    await expect(notices).to_contain_text("still on this machine")
    await expect(notices).to_contain_text(f"{given.name}. Delete it as well?")
    assert path.exists()
    await page.get_by_test_id("notice-answer").click()
    await expect(notices).to_contain_text("The uploaded file is deleted")
    assert not path.exists()
