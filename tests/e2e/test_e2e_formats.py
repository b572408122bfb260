"""Every kind of file plays in a browser on another machine, prepared or as it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e_films import Films
from e2e_loop import Loop
from e2e_nodes import cli, holds
from e2e_pages import Pages, card, comes_true, pixels, plays_past, seek
from playwright.async_api import expect

from headwater.lab.cluster import Cluster, LabNode

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True, slots=True)
class Pair:
    """`giver` shares, `taker` watches."""

    giver: LabNode
    taker: LabNode


FILMS = ("matroska.mkv", "index behind.mp4", "royalty free.webm", "high efficiency.mp4")


@pytest.fixture(scope="module")
def prepared(
    loop: Loop, cluster: Cluster, films: Films, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("prepared")
    for name in FILMS:
        films.copy(name, folder)
    yield loop.run(_pair(cluster, "prepares", folders=[folder]))


@pytest.fixture(scope="module")
def as_they_are(
    loop: Loop, cluster: Cluster, films: Films, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("as_they_are")
    for name in FILMS:
        films.copy(name, folder)
    yield loop.run(_pair(cluster, "leaves", folders=[folder], flags=["--no-prepare"]))


async def _pair(cluster: Cluster, name: str, **more: Any) -> Pair:
    giver = await cluster.start_node(f"{name}-them", **more)
    return Pair(giver, await cluster.start_node(f"{name}-them-for", join=[giver]))


@pytest.mark.parametrize("name", FILMS)
async def test_prepared_it_plays_as_a_file_with_a_seek(
    prepared: Pair, pages: Pages, films: Films, name: str
) -> None:
    video = await holds(prepared.taker, name.rpartition(".")[0], within_s=60)
    assert video["stream"]["kind"] == "file", video
    page = await pages.open(prepared.taker)
    await card(page, video["id"]).click()
    await plays_past(page)
    assert await pixels(page) > 20
    await seek(page, 8)
    await plays_past(page, 8.2)
    assert await comes_true(page, "document.getElementById('player').duration") == pytest.approx(
        12, abs=0.5
    )


@pytest.mark.parametrize("name", ["matroska.mkv", "high efficiency.mp4"])
async def test_as_it_is_it_plays_through_hls_with_a_seek(
    as_they_are: Pair, pages: Pages, films: Films, name: str
) -> None:
    title = name.rpartition(".")[0]
    video = await holds(as_they_are.taker, title)
    assert video["size_bytes"] == films.get(name).stat().st_size
    page = await pages.open(as_they_are.taker)
    await card(page, video["id"]).click()
    await plays_past(page)
    assert await pixels(page) > 20
    await expect(page.get_by_text("while it plays")).to_be_visible()
    for to_s in (9, 4):
        await seek(page, to_s)
        await plays_past(page, to_s + 0.2)
        assert await pixels(page) > 20


async def test_a_file_that_needs_no_preparation_is_shared_as_it_lies(
    as_they_are: Pair, prepared: Pair
) -> None:
    """The same file has the same id on both: nothing was copied or changed."""
    for title in ("royalty free",):
        one, other = await holds(as_they_are.taker, title), await holds(prepared.taker, title)
        assert one["id"] == other["id"]


async def test_what_was_fetched_is_the_very_file(
    as_they_are: Pair, films: Films, folder: Path
) -> None:
    await holds(as_they_are.taker, "matroska")
    answer = await cli(as_they_are.taker, "get", "matroska", "-o", str(folder))
    assert (answer.code, answer.errors) == (0, [])
    assert (folder / "matroska.mkv").read_bytes() == films.get("matroska.mkv").read_bytes()
