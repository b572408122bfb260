"""A video that lies on one machine, watched on others: found, searched, played, taken back."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from e2e_films import Films
from e2e_loop import Loop
from e2e_nodes import cli, holds, until, video_of
from e2e_pages import Pages, card, comes_true, pixels, plays_past, seek
from playwright.async_api import expect

from headwater.lab.cluster import Cluster, LabNode

pytestmark = pytest.mark.timeout(120)

ON_THIS_MACHINE = ("--discovery", "--discovery-interface", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Mesh:
    """`anna` shares `folder` and found `ben` by herself; `cara` was told of `ben` only."""

    anna: LabNode
    ben: LabNode
    cara: LabNode
    folder: Path


@pytest.fixture(scope="module")
def mesh(
    loop: Loop, cluster: Cluster, films: Films, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("annas")

    async def start() -> Mesh:
        films.copy("with subtitles.mp4", folder, "Summer in Łódź.mp4")
        films.copy("long.mp4", folder, "The long way.mp4")
        anna = await cluster.start_node("anna", folders=[folder], flags=ON_THIS_MACHINE)
        ben = await cluster.start_node("ben", flags=ON_THIS_MACHINE)
        cara = await cluster.start_node("cara", join=[ben])
        return Mesh(anna, ben, cara, folder)

    yield loop.run(start())


CAPTION = """() => [...document.getElementById("player").textTracks]
  .filter((track) => track.mode === "showing").map((track) => track.activeCues?.[0]?.text)[0]"""


async def test_what_one_shares_appears_on_the_others_page_is_searched_and_plays(
    mesh: Mesh, pages: Pages
) -> None:
    page = await pages.open(mesh.ben)
    video = await holds(mesh.anna, "Summer in Łódź")
    await expect(card(page, video["id"])).to_be_visible()
    await page.get_by_test_id("search").fill("lodz")  # as one types it without the right keyboard
    await expect(page.get_by_test_id("card")).to_have_count(1)
    await card(page, video["id"]).click()
    await plays_past(page, 1)
    assert await page.evaluate("heard") == [video["id"]]
    assert await pixels(page) > 20
    await expect(page.get_by_test_id("source-row").filter(has_text="anna")).to_have_count(1)


async def test_a_seek_into_what_is_not_here_yet_arrives_and_plays_on(
    mesh: Mesh, pages: Pages
) -> None:
    video = await holds(mesh.ben, "The long way")
    page = await pages.open(mesh.ben)
    await card(page, video["id"]).click()
    await plays_past(page, 0.2)
    for to_s in (80, 40):
        assert await seek(page, to_s) == pytest.approx(to_s, abs=0.1)
        await plays_past(page, to_s + 0.5)
        assert await pixels(page) > 20


async def test_captions_and_pictures_for_scrubbing_come_with_the_video(
    mesh: Mesh, pages: Pages
) -> None:
    video = await holds(mesh.cara, "Summer in Łódź")
    page = await pages.open(mesh.cara, f"/watch/{video['id']}")
    await plays_past(page)
    await page.get_by_test_id("captions").click()
    assert str(await comes_true(page, CAPTION)).startswith("second")
    box = await page.get_by_test_id("scrub").bounding_box()
    assert box is not None
    async with page.expect_response(lambda answer: "storyboard" in answer.url) as told:
        await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 4)
        await page.mouse.move(box["x"] + box["width"] / 2 + 9, box["y"] + 4)
    assert (await told.value).status == 200


async def test_one_who_is_not_linked_with_the_owner_sees_and_plays_it(
    mesh: Mesh, pages: Pages
) -> None:
    video = await holds(mesh.cara, "Summer in Łódź")
    assert video["channel"]["name"] == "anna"
    page = await pages.open(mesh.cara)
    await card(page, video["id"]).click()
    await plays_past(page)
    assert await pixels(page) > 20


async def test_what_is_taken_back_goes_from_every_page(
    mesh: Mesh, pages: Pages, films: Films
) -> None:
    path = films.copy("index in front.mp4", mesh.folder, "A mistake.mp4")
    video = await holds(mesh.cara, "A mistake")
    page = await pages.open(mesh.cara)
    await expect(card(page, video["id"])).to_be_visible()
    answer = await cli(mesh.anna, "unshare", "A mistake")
    assert (answer.code, answer.errors) == (0, [])
    await expect(card(page, video["id"])).to_have_count(0)
    for node in (mesh.anna, mesh.ben, mesh.cara):
        await until(f"{node.name} forgets it", partial(_is_unknown, node, video["id"]))
    assert path.exists()


def _is_unknown(node: LabNode, video: str) -> bool:
    return video_of(node, video) is None


async def test_the_ends_of_a_chain_that_cannot_meet_share_through_its_middle(
    cluster: Cluster, pages: Pages, films: Films, folder: Path
) -> None:
    films.copy("index in front.mp4", folder, "From the far end.mp4")
    one = ("--max-peers", "1")
    first = await cluster.start_node("first", folders=[folder], flags=one)
    middle = await cluster.start_node("middle", join=[first])
    last = await cluster.start_node("last", join=[middle], flags=one)
    video = await holds(last, "From the far end")
    page = await pages.open(middle, f"/watch/{video['id']}")
    await plays_past(page)
    page = await pages.open(last, f"/watch/{video['id']}")
    await plays_past(page)
    await expect(page.get_by_test_id("source-row").filter(has_text="middle")).to_have_count(1)
    peers = last.api.get("/api/v1/peers")["peers"]
    assert [peer["name"] for peer in peers if peer["connected"]] == ["middle"]
