"""A shared file is changed behind the node's back while somebody watches it elsewhere."""

import asyncio
import contextlib
import http.client
import os
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from e2e_films import Films
from e2e_nodes import cli, holds, until, video_of
from e2e_pages import Pages, card, plays_past
from playwright.async_api import expect

from headwater.lab.cluster import Cluster, LabNode

pytestmark = pytest.mark.timeout(120)


def overwritten(path: Path) -> None:
    """With as many other bytes, in place."""
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))


def truncated(path: Path) -> None:
    os.truncate(path, 1000)


def deleted(path: Path) -> None:
    path.unlink()


def read_on(node: LabNode, video: str, silence_s: float = 4) -> bytes:
    """The file as a player gets it, until its end or until nothing has come for so long."""
    received = bytearray()
    with closing(http.client.HTTPConnection(node.address, timeout=silence_s)) as connection:
        connection.request("GET", f"/v/{video}/file")
        with contextlib.suppress(TimeoutError, http.client.IncompleteRead):
            answer = connection.getresponse()
            while part := answer.read1(65536):
                received += part
    return bytes(received)


@pytest.mark.parametrize("change", [overwritten, truncated, deleted])
async def test_the_one_who_watches_is_told_and_gets_no_wrong_byte(
    cluster: Cluster, pages: Pages, films: Films, folder: Path, change: Callable[[Path], None]
) -> None:
    title = f"Will be {change.__name__}"
    path = films.copy("long.mp4", folder, f"{title}.mp4")
    owner = await cluster.start_node(f"owner-{change.__name__}", flags=["--up-limit", "350k"])
    viewer = await cluster.start_node(f"viewer-{change.__name__}", join=[owner])
    assert (await cli(owner, "share", str(path))).code == 0
    video = (await holds(viewer, title))["id"]
    page = await pages.open(viewer)
    await card(page, video).click()
    await plays_past(page, 0.5)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(asyncio.to_thread(read_on, viewer, video))
        await until("half a megabyte is here", lambda: _have(viewer, video) > 500_000)
        change(path)
    received = reading.result()
    assert 0 < len(received) < films.get("long.mp4").stat().st_size
    assert films.get("long.mp4").read_bytes().startswith(received)
    await until("the owner is told", lambda: _is_told(owner, video, path.name))
    # What came before the change plays on; of the rest the page says why it is not to be had.
    await page.evaluate("document.getElementById('player').currentTime = 80")
    message = page.get_by_test_id("player-message")
    # Unless the owner's node took it back, for what lies there now, before it was asked once more.
    why = f"The file was changed on {owner.name} after it was shared.|This is no longer shared."
    await expect(message).to_contain_text(re.compile(why), timeout=40_000)
    assert owner.api.get("/api/v1/status")["peers"] == 1


async def test_what_is_taken_back_plays_as_far_as_it_is_here_and_the_page_says_so(
    cluster: Cluster, pages: Pages, films: Films, folder: Path
) -> None:
    path = films.copy("long.mp4", folder, "Taken back.mp4")
    owner = await cluster.start_node("owner-back", flags=["--up-limit", "700k"])
    viewer = await cluster.start_node("viewer-back", join=[owner])
    assert (await cli(owner, "share", str(path))).code == 0
    video = (await holds(viewer, "Taken back"))["id"]
    page = await pages.open(viewer)
    await card(page, video).click()
    await until("three megabytes are here", lambda: _have(viewer, video) > 3_000_000)
    assert (await cli(owner, "unshare", str(path))).code == 0
    await page.keyboard.press("9")
    message = page.get_by_test_id("player-message")
    await expect(message).to_contain_text("This is no longer shared.", timeout=40_000)
    await page.keyboard.press("0")
    await plays_past(page, 0.5)
    status, told = await asyncio.to_thread(status_of, viewer, f"/v/{video}/file", "bytes=-1000")
    assert status == 404 and "no longer shared" in told


def status_of(node: LabNode, path: str, part: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection(node.address, timeout=20)) as connection:
        connection.request("GET", path, headers={"Range": part})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def _have(node: LabNode, video: str) -> int:
    return int((video_of(node, video) or {"have_bytes": 0})["have_bytes"])


def _is_told(node: LabNode, video: str, name: str) -> bool:
    found = video_of(node, video)
    return found is None or name in found["problem"]
