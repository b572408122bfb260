"""The REST API against a node in memory, over real HTTP."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from web_fakes import (
    FakeHolders,
    FakeNode,
    FakeOrigin,
    FakeShared,
    FakeSource,
    FakeSources,
    Serving,
    serving,
)
from websockets.asyncio.client import connect

from headwater.node.events import Event
from headwater.wire.items import NodeRecord, Signed, Subtitle, open_item

ROOT = Path(__file__).parents[2]


def run(test: Callable[[Serving], Awaitable[None]], node: FakeNode | None = None) -> None:
    async def _run() -> None:
        async with asyncio.timeout(15), serving(node or FakeNode()) as web:
            await test(web)

    asyncio.run(_run())


def test_status_tells_who_the_node_is() -> None:
    async def _test(web: Serving) -> None:
        web.node.meet("Bob's PC")
        web.node.add(b"x")
        status = (await web.client.get("/api/v1/status")).json()
        assert status["name"] == "Anna's laptop" and status["is_owner"]
        assert status["id"] == web.node.identity.node.hex()
        assert (status["peers"], status["videos"], status["token_needed"]) == (1, 1, False)

    run(_test)


def test_the_library_lists_searches_and_pages() -> None:
    async def _test(web: Serving) -> None:
        for number in range(5):
            web.node.add(bytes(10), title=f"Holiday {number}", here=number < 2)
        got = (await web.client.get("/api/v1/videos?q=holiday&limit=2&offset=1")).json()
        assert got["total"] == 5
        assert [v["title"] for v in got["videos"]] == ["Holiday 1", "Holiday 2"]
        assert (await web.client.get("/api/v1/videos?scope=here")).json()["total"] == 2
        me = web.node.identity.node.hex()
        assert (await web.client.get(f"/api/v1/videos?channel={me}")).json()["total"] == 5
        other = "00" * 32
        assert (await web.client.get(f"/api/v1/videos?channel={other}")).json()["total"] == 0

    run(_test)


def test_a_video_says_where_it_is_and_how_it_plays() -> None:
    async def _test(web: Serving) -> None:
        bob, gone = web.node.meet("Bob's PC"), bytes(32)
        video = web.node.add(
            bytes(100_000),
            title="Ferien ä",
            file_name="Ferien ä.mkv",
            plays="remux",
            duration_ms=61_500,
            created_ms=1_700_000_000_000,
            poster=bytes(32),
            subtitles=(Subtitle("de", "Deutsch", bytes(32)),),
        )
        web.node.catalogue.held[video] = FakeHolders((bob, gone), ())  # type: ignore[arg-type]
        got = (await web.client.get(f"/api/v1/videos/{video.hex()}")).json()
        base = f"/v/{video.hex()}"
        assert got["link"] == f"headwater://video/{video.hex()}"
        assert (got["state"], got["have_bytes"], got["duration_s"]) == ("shared", 100_000, 61.5)
        assert got["created"].startswith("2023-11-14T22:13:20")
        assert got["stream"] == {"kind": "hls", "url": f"{base}/hls/index.m3u8"}
        assert got["download"] == f"{base}/file/{quote('Ferien ä.mkv')}?download=true"
        assert got["poster"] == f"{base}/poster" and got["storyboard"] is None
        assert got["subtitles"][0]["url"] == f"{base}/subtitles/0.vtt"
        names = [(h["name"], h["is_me"], h["whole"]) for h in got["holders"]]
        assert names == [("Anna's laptop", True, True), ("Bob's PC", False, True)]

    run(_test)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"problem": "holiday.mp4 was changed after it was shared"}, "problem"),
        ({}, "shared"),
        ({"owned": True}, "kept"),
        ({"owned": True, "source": Path("/films/a.avi")}, "shared"),
        ({"owned": True, "have_blocks": 1}, "partial"),
        ({"owned": True, "have_blocks": 0}, "remote"),
    ],
)
def test_the_state_of_a_video(change: dict[str, object], expected: str) -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(bytes(100_000))
        web.node.catalogue.entries[video].channel = web.node.meet("Bob's PC")
        for name, value in change.items():
            setattr(web.node.store.stored[video], name, value)
        got = (await web.client.get(f"/api/v1/videos/{video.hex()}")).json()
        assert got["state"] == expected

    run(_test)


def test_sources_name_the_machines() -> None:
    async def _test(web: Serving) -> None:
        bob = web.node.meet("Bob's PC")
        video = web.node.add(bytes(100))
        web.node.transfers.views[video] = FakeSources(
            100,
            [FakeSource(bob, 60, 5.0, 1.5)],
            [FakeOrigin(0, 60, bob), FakeOrigin(60, 100, None)],
        )
        got = (await web.client.get(f"/api/v1/videos/{video.hex()}/sources")).json()
        assert got["nodes"][0]["name"] == "Bob's PC"
        assert got["ranges"] == [[0, 60, bob.hex()], [60, 100, "here"]]
        web.node.transfers.views[video] = FakeSources(100, waiting_for=[bob])
        got = (await web.client.get(f"/api/v1/videos/{video.hex()}/sources")).json()
        assert (got["waiting_for"], got["changed_on"]) == ("Bob's PC", "")
        web.node.transfers.views[video] = FakeSources(100, changed_on=[bob])
        got = (await web.client.get(f"/api/v1/videos/{video.hex()}/sources")).json()
        assert (got["waiting_for"], got["changed_on"]) == ("", "Bob's PC")

    run(_test)


def test_resolve_keep_get_and_remove() -> None:
    async def _test(web: Serving) -> None:
        mine, other = web.node.add(b"x", title="Mine"), web.node.add(b"y", title="Other")
        web.node.shares.shares.append(FakeShared(Path("/films/x.mp4"), mine))
        found = await web.client.get("/api/v1/resolve", params={"text": "Mine"})
        assert [v["id"] for v in found.json()["videos"]] == [mine.hex()]
        kept = await web.client.post(f"/api/v1/videos/{other.hex()}/keep")
        assert (kept.status_code, kept.json()["kind"]) == (202, "get")
        wanted = await web.client.post(
            f"/api/v1/videos/{other.hex()}/get", json={"directory": "/tmp"}
        )
        assert wanted.json()["title"] == "/tmp"
        relative = await web.client.post(
            f"/api/v1/videos/{other.hex()}/get", json={"directory": "films"}
        )
        assert (relative.status_code, relative.json()["error"]["code"]) == (400, "usage")
        removed = await web.client.delete(f"/api/v1/videos/{mine.hex()}")
        assert removed.json() == {"videos": [mine.hex()], "uploads": []} and not web.node.forgotten
        await web.client.delete(f"/api/v1/videos/{other.hex()}")
        assert web.node.forgotten == [other]

    run(_test)


def test_sharing_and_what_is_shared() -> None:
    async def _test(web: Serving) -> None:
        shared = await web.client.post("/api/v1/shares", json={"path": "/films/ä.mp4"})
        assert [job["title"] for job in shared.json()["jobs"]] == ["ä.mp4"]
        listed = (await web.client.get("/api/v1/shares")).json()
        assert listed["shares"] == [{"path": "/films/ä.mp4", "video": "", "problem": ""}]
        for path in ("films", "", "/a\0b", "~nobody-of-that-name/x"):
            got = await web.client.post("/api/v1/shares", json={"path": path})
            assert (got.status_code, got.json()["error"]["code"]) == (400, "usage")
        gone = await web.client.request("DELETE", "/api/v1/shares", json={"path": "/films/ä.mp4"})
        assert gone.json() == {"videos": [], "uploads": []}

    run(_test)


def test_an_upload_arrives_whole_and_odd_names_do_not() -> None:
    async def _test(web: Serving) -> None:
        body = bytes(300_000)
        got = await web.client.put(f"/api/v1/uploads/{quote('Ferien ä.mp4')}", content=body)
        assert (got.status_code, got.json()["kind"]) == (202, "upload")
        assert web.node.shares.uploads == {"Ferien ä.mp4": body}
        for name in ("..", ".", "%2e%2e%5cx", "a%00b", "a%0ab", "x" * 300, "%2e%2e%2fx"):
            got = await web.client.put(f"/api/v1/uploads/{name}", content=b"x")
            assert got.status_code in (400, 404, 405), name
        assert list(web.node.shares.uploads) == ["Ferien ä.mp4"]

    run(_test)


def test_jobs_are_listed_and_cancelled() -> None:
    async def _test(web: Serving) -> None:
        asked = []
        job = web.node.activity.start("share", "a.mp4", lambda: asked.append(True))
        web.node.activity.progress(job, "preparing", 500, 1000)
        listed = (await web.client.get("/api/v1/jobs")).json()["jobs"]
        assert [(j["phase"], j["unit"], j["done"], j["total"]) for j in listed] == [
            ("preparing", "ms", 500, 1000)
        ]
        assert (await web.client.delete(f"/api/v1/jobs/{job.id}")).status_code == 202
        assert asked == [True]
        assert (await web.client.delete("/api/v1/jobs/77")).status_code == 404
        pausing = f"/api/v1/jobs/{job.id}/pause"
        assert (await web.client.put(pausing)).json()["error"]["code"] == "conflict"
        job.pause, job.resume = lambda: asked.append(False), None
        assert (await web.client.get("/api/v1/jobs")).json()["jobs"][0]["can_pause"]
        assert (await web.client.put(pausing)).status_code == 204
        job.pause, job.resume = None, lambda: asked.append(True)
        assert (await web.client.delete(pausing)).status_code == 204
        assert asked == [True, False, True]

    run(_test)


def test_peers_join_block_and_invite() -> None:
    async def _test(web: Serving) -> None:
        bob = web.node.meet("Bob's PC")
        web.node.meet("Cleo's phone", connected=False)
        peers = (await web.client.get("/api/v1/peers")).json()["peers"]
        assert [(p["name"], p["connected"]) for p in peers] == [
            ("Bob's PC", True),
            ("Cleo's phone", False),
        ]
        assert peers[0]["path"].startswith("direct") and peers[0]["rtt_ms"] == 2.0
        assert (peers[0]["down_bytes_s"], peers[0]["up_bytes_s"]) == (1000, 2000)
        joined = await web.client.post("/api/v1/peers", json={"address": " 192.0.2.7:7333 "})
        assert joined.json()["name"] == "Bob's PC" and web.node.joined == ["192.0.2.7:7333"]
        blocking = f"/api/v1/peers/{bob.hex()}/block"
        assert (await web.client.put(blocking)).status_code == 204
        web.node.catalogue.items.clear()  # long gone, and still to be unblocked
        peers = (await web.client.get("/api/v1/peers")).json()["peers"]
        (bobs,) = [p for p in peers if p["blocked"]]
        assert (bobs["name"], bobs["connected"]) == ("Bob's PC", False)
        assert (await web.client.delete(blocking)).status_code == 204
        assert not web.node.blocked
        assert (await web.client.put("/api/v1/peers/zz/block")).status_code == 404
        invitation = (await web.client.get("/api/v1/invitation")).json()
        assert invitation["link"].startswith("headwater://join/")
        assert invitation["qr_svg"].startswith("<svg")

    run(_test)


def test_settings_are_told_changed_and_refused_in_plain_words() -> None:
    async def _test(web: Serving) -> None:
        web.node.say_at_start(name="--name")
        told = (await web.client.get("/api/v1/settings")).json()
        assert (told["name"], told["default_name"]) == ("Anna's laptop", "anna-thinkpad")
        assert told["said_at_start"] == {"name": "--name"} and told["folders_at_start"] == []
        async with web.node.events.listen() as events:
            got = await web.client.patch("/api/v1/settings", json={"up_bytes_s": 2_500_000})
            assert (await events.get()).topic == "settings"
        assert (got.json()["up_bytes_s"], got.json()["name"]) == (2_500_000, "Anna's laptop")
        await web.client.patch("/api/v1/settings", json={"name": "  "})
        status = (await web.client.get("/api/v1/status")).json()
        assert (status["name"], status["limits"]["up_bytes_s"]) == ("anna-thinkpad", 2_500_000)
        for wrong in (
            {"name": "x" * 65},
            {"name": "two\nlines"},
            {"up_bytes_s": -1},
            {"down_bytes_s": 2**54},
            {"down_bytes_s": "fast"},
            {"colour": "red"},
        ):
            got = await web.client.patch("/api/v1/settings", json=wrong)
            assert (got.status_code, got.json()["error"]["code"]) == (400, "usage"), wrong
        assert web.node.name == "anna-thinkpad"

    run(_test)


def test_a_renamed_neighbour_goes_by_the_name_that_it_has_now() -> None:
    async def _test(web: Serving) -> None:
        bob = web.node.meet("Bob's PC")
        link = web.node.neighbours.links[bob]
        link.record = NodeRecord(version=0, name="what it was called when the link was made")
        peers = (await web.client.get("/api/v1/peers")).json()["peers"]
        assert [p["name"] for p in peers] == ["Bob's PC"]

    run(_test)


def test_pictures_come_from_the_store_or_the_mesh_and_are_kept_by_the_browser() -> None:
    async def _test(web: Serving) -> None:
        picture, track = b"\xff\xd8\xff poster", b"WEBVTT\n\n"
        poster, words = hashlib.sha256(picture).digest(), hashlib.sha256(track).digest()
        video = web.node.add(
            b"x",
            poster=poster,
            duration_ms=25_000,
            storyboard=poster,
            storyboard_columns=2,
            storyboard_rows=2,
            storyboard_step_ms=10_000,
            subtitles=(Subtitle("de", "Deutsch", words),),
        )
        web.node.transfers.blobs[poster] = picture
        web.node.store.blobs[words] = track
        base = f"/v/{video.hex()}"
        got = await web.client.get(f"{base}/poster")
        assert (got.content, got.headers["content-type"]) == (picture, "image/jpeg")
        again = await web.client.get(
            f"{base}/poster", headers={"If-None-Match": got.headers["etag"]}
        )
        assert again.status_code == 304
        got = await web.client.get(f"{base}/subtitles/0.vtt")
        assert (got.content, got.headers["content-type"]) == (track, "text/vtt; charset=utf-8")
        assert (await web.client.get(f"{base}/subtitles/1.vtt")).status_code == 404
        cues = (await web.client.get(f"{base}/storyboard.vtt")).text
        assert "00:00:20.000 --> 00:00:25.000\nstoryboard#xywh=0,90,160,90" in cues
        bare = web.node.add(b"y")
        assert (await web.client.get(f"/v/{bare.hex()}/poster")).status_code == 404

    run(_test)


def test_a_blob_that_is_no_picture_is_not_served_as_one() -> None:
    async def _test(web: Serving) -> None:
        trap = b"<html><script>alert(1)</script>"
        sha = hashlib.sha256(trap).digest()
        video = web.node.add(b"x", poster=sha)
        web.node.transfers.blobs[sha] = trap
        got = await web.client.get(f"/v/{video.hex()}/poster")
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-security-policy"].startswith("sandbox;")

    run(_test)


def test_a_playlist_names_the_file() -> None:
    async def _test(web: Serving) -> None:
        video = web.node.add(b"x", title="Two\nlines", duration_ms=61_000)
        got = await web.client.get(f"/v/{video.hex()}/playlist.m3u")
        head, about, address = got.text.splitlines()
        assert (head, about) == ("#EXTM3U", "#EXTINF:61,Two lines")
        assert address.startswith(f"{web.server.address}/v/{video.hex()}/file?session=")

    run(_test)


def test_wellknown_is_the_signed_record() -> None:
    async def _test(web: Serving) -> None:
        got = (await web.client.get("/.well-known/headwater")).json()
        item = open_item(msgspec.msgpack.decode(base64.b64decode(got["item"]), type=Signed))
        assert item.author == web.node.identity.node and isinstance(item.body, NodeRecord)

    run(_test)


def test_metrics_count_and_name_nobody() -> None:
    async def _test(web: Serving) -> None:
        bob = web.node.meet("Bob's PC")
        await web.client.get(f"/v/{web.node.add(b'hello').hex()}/file")
        text = (await web.client.get("/metrics")).text
        for line in (
            "headwater_neighbours 1.0",
            "headwater_sent_bytes_total 7000.0",
            "headwater_gateway_reads_total 1.0",
            "headwater_gateway_read_bytes_total 5.0",
        ):
            assert line in text
        assert bob.hex()[:10] not in text and "Bob" not in text

    run(_test)


def test_events_arrive_over_the_websocket() -> None:
    async def _test(web: Serving) -> None:
        address = web.server.address.replace("http", "ws") + "/api/v1/events"
        async with connect(address) as socket:
            web.node.events.publish(Event("problem", "ab", "the disk is full"))
            got = json.loads(await socket.recv())
            assert got == {"topic": "problem", "subject": "ab", "text": "the disk is full"}

    run(_test)


def test_failures_are_json_in_plain_words() -> None:
    async def _test(web: Serving) -> None:
        for path, status, code in [
            ("/api/v1/nothing", 404, "not_found"),
            ("/api/v1/videos?limit=x", 400, "usage"),
            ("/api/v1/videos?limit=100000", 400, "usage"),
            ("/api/v1/videos/zz", 404, "not_found"),
        ]:
            got = await web.client.get(path)
            assert (got.status_code, got.json()["error"]["code"]) == (status, code)
        got = await web.client.post("/api/v1/status")
        assert got.status_code == 405

    run(_test)


def test_a_bug_is_500_json_and_the_node_goes_on() -> None:
    async def _test(web: Serving) -> None:
        web.node.catalogue.resolve = None  # type: ignore[assignment,method-assign]
        got = await web.client.get("/api/v1/resolve?text=x")
        assert (got.status_code, got.json()["error"]["code"]) == (500, "internal")
        assert (await web.client.get("/api/v1/status")).status_code == 200

    run(_test)


def test_the_committed_description_is_the_api() -> None:
    from headwater.web.openapi import text

    committed = (ROOT / "docs" / "openapi.json").read_text()
    assert committed == text(), "run: python -m headwater.web.openapi > docs/openapi.json"
