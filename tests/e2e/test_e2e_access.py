"""Who may do what from where: the owner on the machine itself, guests of the network, strangers."""

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from e2e_films import Films
from e2e_loop import Loop
from e2e_nodes import holds
from e2e_pages import Pages, card, plays_past
from playwright.async_api import FilePayload, expect

from headwater.lab.cluster import Cluster, LabNode

pytestmark = pytest.mark.timeout(120)


def own_address() -> str:
    """An IPv4 address of this machine that is not loopback: who uses it is no neighbour on it."""
    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family == socket.AF_INET and not each.address.startswith("127."):
                return each.address
    pytest.skip("this machine has no address but loopback: nobody can come from elsewhere")


@dataclass(frozen=True, slots=True)
class Open:
    """A node that serves its page to the network, the film it shares, and the owner's token."""

    node: LabNode
    film: str
    token: str


@pytest.fixture(scope="module")
def house(
    loop: Loop, cluster: Cluster, films: Films, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Open]:
    folder = tmp_path_factory.mktemp("open")
    films.copy("index in front.mp4", folder, "For guests.mp4")

    async def start() -> Open:
        flags = ["--lan", "--http", f"{own_address()}:0"]
        node = await cluster.start_node("open", folders=[folder], flags=flags)
        film = await holds(node, "For guests")
        token = json.loads((node.state / "runtime.json").read_text())["token"]
        return Open(node, film["id"], token)

    yield loop.run(start())


async def asked(
    node: LabNode, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, str]:
    """Status and text of one request, with these headers and no others of ours."""

    def ask() -> tuple[int, str]:
        with closing(http.client.HTTPConnection(node.address, timeout=30)) as connection:
            payload = json.dumps(body).encode() if isinstance(body, dict) else body
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")

    return await asyncio.to_thread(ask)


async def test_a_guest_watches_but_is_offered_nothing_to_change(house: Open, pages: Pages) -> None:
    page = await pages.open(house.node)
    await card(page, house.film).click()
    await plays_past(page)
    await page.goto(house.node.page)
    await expect(card(page, house.film)).to_be_visible()
    assert await page.get_by_test_id("upload-button").count() == 0
    await page.goto(f"{house.node.page}/machines")
    await expect(page.get_by_test_id("machines")).to_be_visible()
    assert await page.get_by_test_id("invite").count() == 0


CHANGES = [
    ("POST", "/api/v1/shares", {"path": "/tmp"}),
    ("DELETE", "/api/v1/shares", {"path": "/tmp"}),
    ("PUT", "/api/v1/uploads/mine.bin", b"payload"),
    ("POST", "/api/v1/peers", {"address": "127.0.0.1:1"}),
    ("DELETE", "/api/v1/videos/{film}", None),
    ("POST", "/api/v1/videos/{film}/keep", None),
    ("POST", "/api/v1/videos/{film}/get", {"directory": "/tmp"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_changing_anything_from_elsewhere_needs_the_token(
    house: Open, method: str, path: str, body: Any
) -> None:
    path = path.format(film=house.film)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
        status, text = await asked(house.node, method, path, body, **headers)
        assert status == 403, text
        assert "token" in text and house.token not in text
    assert (await asked(house.node, "GET", f"/api/v1/videos/{house.film}"))[0] == 200


@pytest.mark.parametrize(
    "path", ["/metrics", "/api/v1/jobs", "/api/v1/shares", "/api/v1/invitation"]
)
async def test_what_is_the_owners_is_not_shown_to_guests(house: Open, path: str) -> None:
    assert (await asked(house.node, "GET", path))[0] == 403
    mine = await asked(house.node, "GET", path, Authorization=f"Bearer {house.token}")
    assert mine[0] == 200


async def test_a_guest_does_not_learn_where_things_lie(house: Open) -> None:
    for path in ("/api/v1/status", "/api/v1/videos", "/api/v1/peers"):
        status, text = await asked(house.node, "GET", path)
        assert status == 200
        assert str(house.node.state) not in text and house.token not in text


async def test_with_the_link_of_the_owner_the_page_is_the_owners(house: Open, pages: Pages) -> None:
    page = await pages.open(house.node, f"/#token={house.token}")
    await expect(page.get_by_test_id("upload-button")).to_be_visible()
    assert house.token not in page.url
    await page.reload()
    await expect(page.get_by_test_id("upload-button")).to_be_visible()
    await page.get_by_test_id("upload-input").set_input_files(
        FilePayload(name="from afar.bin", mimeType="x/y", buffer=b"something" * 999)
    )
    await holds(house.node, "from afar")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", ""])
async def test_under_a_name_that_is_not_ours_nothing_is_served(house: Open, host: str) -> None:
    for path in ("/", "/api/v1/videos", f"/v/{house.film}/file"):
        assert (await asked(house.node, "GET", path, Host=host))[0] in (400, 403)


async def test_a_page_of_another_site_may_not_use_a_node(
    house: Open, cluster: Cluster, pages: Pages
) -> None:
    """From a real browser, on the machine itself: the one that would be the owner."""
    closed = await cluster.start_node("closed")
    # Any page of another origin, without the policy by which ours could not even ask.
    page = await pages.open(house.node, "/settings", bypass_csp=True)
    told = await page.evaluate(
        """async (other) => {
          const tries = {
            read: () => fetch(`${other}/api/v1/status`).then((r) => r.status),
            blind: () => fetch(`${other}/api/v1/shares`, { method: "POST", mode: "no-cors",
              headers: { "Content-Type": "text/plain" }, body: '{"path":"/tmp"}' })
              .then((r) => r.type),
            upload: () => fetch(`${other}/api/v1/uploads/x.bin`, { method: "PUT", body: "x" })
              .then((r) => r.status),
            socket: () => new Promise((resolve) => {
              const socket = new WebSocket(`${other.replace("http", "ws")}/api/v1/events`);
              socket.onopen = () => resolve("open");
              socket.onerror = () => resolve("refused");
            }),
          };
          const found = {};
          for (const [name, one] of Object.entries(tries))
            found[name] = await one().catch(() => "refused");
          return found;
        }""",
        closed.page,
    )
    assert told["read"] == "refused" and told["upload"] == "refused"
    assert told["socket"] == "refused"
    assert closed.api.get("/api/v1/shares")["shares"] == []
    assert closed.api.get("/api/v1/status")["folders"] == []


async def test_without_lan_nobody_from_elsewhere_is_answered(cluster: Cluster) -> None:
    node = await cluster.start_node("shut", flags=["--http", f"{own_address()}:0"])
    for path in ("/", "/api/v1/videos"):
        status, text = await asked(node, "GET", path)
        assert status == 403 and "--lan" in text


async def test_what_opens_the_node_is_readable_by_its_owner_only(house: Open) -> None:
    for path in house.node.state.iterdir():
        if path.name in ("runtime.json",) or "key" in path.name:
            assert path.stat().st_mode & 0o077 == 0, path
    assert Path(house.node.state).stat().st_mode & 0o077 == 0
