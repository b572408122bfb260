"""Lives over the API and their parts over a WebSocket, against lives in memory."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from live_samples import FakeLive, FakeStripe, Piece, fmp4
from web_fakes import FakeNode, Serving, serving
from websockets.asyncio.client import ClientConnection, connect

from headwater.web.gateway.live_frames import HEADER_BYTES
from headwater.web.gateway.live_types import media_type_of
from headwater.wire.ids import LiveId

HEADER = struct.Struct(">QQQIBB2x")


@dataclass(frozen=True)
class Got:
    seq: int
    pts_us: int
    capture_us: int
    duration_us: int
    is_init: bool
    is_key: bool
    payload: bytes


def run(test: Callable[[Serving], Awaitable[None]], node: FakeNode | None = None) -> None:
    async def _run() -> None:
        async with serving(node or FakeNode()) as web, asyncio.timeout(15):
            await test(web)

    asyncio.run(_run())


def parts_of(web: Serving, live: FakeLive, query: str = "") -> connect:
    address = f"ws://{web.server.host}:{web.server.port}/live/{live.entry.live.hex()}/parts{query}"
    return connect(address, max_size=None, max_queue=None)


async def take(socket: ClientConnection) -> Got | dict[str, object]:
    """The next message that is no status."""
    while True:
        message = await socket.recv()
        if isinstance(message, bytes):
            seq, pts, captured, duration, flags, _more = HEADER.unpack_from(message)
            payload = message[HEADER_BYTES:]
            return Got(seq, pts, captured, duration, bool(flags & 1), bool(flags & 2), payload)
        told: dict[str, object] = json.loads(message)
        if told["type"] != "status":
            return told


async def take_parts(socket: ClientConnection, count: int) -> list[Got]:
    """The next parts, inits among them."""
    found: list[Got] = []
    while len(found) < count:
        if isinstance(got := await take(socket), Got):
            found.append(got)
    return found


def pieces(seconds: float = 3.0) -> list[Piece]:
    return list(fmp4(seconds))


def test_lives_are_listed_with_what_people_want_to_know() -> None:
    async def _test(web: Serving) -> None:
        bob = web.node.meet("Bob's PC")
        live = web.node.lives.add("Choir", node=bob)
        live.channel, live.viewers = bob, 7
        (got,) = (await web.client.get("/api/v1/lives")).json()["lives"]
        assert (got["title"], got["viewers"], got["state"]) == ("Choir", 7, "on")
        assert got["channel"]["name"] == got["node"]["name"] == "Bob's PC"
        assert got["parts"] == f"/live/{got['id']}/parts" and got["recording"] == ""
        alone = (await web.client.get(f"/api/v1/lives/{got['id']}")).json()
        assert alone == got
        missing = await web.client.get(f"/api/v1/lives/{'00' * 32}")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")

    run(_test)


def test_a_player_gets_init_and_the_newest_keyframe_first_then_every_part() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        made = pieces()
        live.air(made[:20])
        async with parts_of(web, live) as socket:
            start = await take(socket)
            assert isinstance(start, dict) and start["type"] == "start"
            told = await take(socket)
            assert told == {"type": "init", "media_type": media_type_of(made[0].payload)}
            init, key = await take_parts(socket, 2)
            assert init.is_init and init.payload == made[0].payload
            assert key.is_key and key.seq == live.newest_key()
            live.air(made[20:])
            rest = await take_parts(socket, len(made) - key.seq - 1)
        got = [key, *rest]
        assert [part.seq for part in got] == list(range(key.seq, len(made)))
        assert [part.payload for part in got] == [piece.payload for piece in made[key.seq :]]
        assert [part.pts_us for part in got] == [piece.pts_us for piece in made[key.seq :]]

    run(_test)


def test_what_it_is_comes_before_the_first_part_is_there() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        async with parts_of(web, live) as socket:
            start = await take(socket)
            assert start == {
                "type": "start",
                "media_type": live.entry.media_type,
                "part_ms": 120,
                "width": 320,
                "height": 180,
                "state": "on",
            }

    run(_test)


def test_a_new_epoch_brings_its_init() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        live.air(fmp4(1.0))
        async with parts_of(web, live) as socket:
            told = [await take(socket) for _ in range(2)][1:]
            first = await take_parts(socket, 1)
            live.air(fmp4(1.0, begin_s=1.0, size=(640, 360), sound=False))
            while isinstance(got := await take(socket), Got):
                pass
            told.append(got)
            second = await take_parts(socket, 2)
        assert first[0].is_init and second[0].is_init and second[1].is_key
        assert ["mp4a" in str(each) for each in told] == [True, False]

    run(_test)


def test_it_goes_on_from_a_number_without_a_seam() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        made = live.air(pieces())
        had = made[12].info.pts_us
        async with parts_of(web, live, f"?from=13&after={had}") as socket:
            got = await take_parts(socket, 4)
        assert [part.seq for part in got] == [0, 13, 14, 15]
        assert got[1].payload == made[13].payload
        key = next(p.info.seq for p in made if p.info.is_key and p.info.seq > 13)
        async with parts_of(web, live, "?from=13") as socket:  # where it was is not told
            assert [part.seq for part in await take_parts(socket, 2)] == [0, key]

    run(_test)


def test_the_past_comes_as_far_as_the_player_wants_it() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        made = live.air(fmp4(14.0, sound=False))
        last_s = made[-1].info.pts_us / 1e6
        async with parts_of(web, live, "?from=-12.5") as socket:
            await take_parts(socket, 2)
            begun_us = round((last_s - 12.5) // 1 * 1e6)
            asked = [p for p in made if begun_us <= p.info.pts_us <= begun_us + 10_000_000]
            await take_parts(socket, len(asked) - 1)
            await socket.send('{"until_us": null}')
            rest = await take_parts(socket, len(made) - asked[-1].info.seq - 1)
        assert rest[-1].seq == made[-1].info.seq

    run(_test)


def test_gaps_and_the_end_are_told() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        made = live.air(pieces()[:6])
        async with parts_of(web, live) as socket:
            await take_parts(socket, len(made))
            live.missing = {6, 7}
            rest = live.air(pieces()[6:])
            key = next(p.info.seq for p in rest if p.info.is_key)
            assert await take(socket) == {"type": "gap", "next": key}
            assert (await take_parts(socket, 1))[0].seq == key
            live.end(recording=bytes(range(32)))
            while isinstance(told := await take(socket), Got):
                pass
            assert told == {"type": "ended", "recording": bytes(range(32)).hex()}
            await socket.wait_closed()
        assert live.views[0].closed.is_set()

    run(_test)


def test_a_player_that_leaves_closes_its_view() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        live.air(pieces())
        async with parts_of(web, live) as socket:
            await take_parts(socket, 1)
        await live.views[0].closed.wait()

    run(_test)


def test_nonsense_is_told_in_a_sentence() -> None:
    async def _test(web: Serving) -> None:
        live = web.node.lives.add()
        async with parts_of(web, live, "?from=yesterday") as socket:
            told = await take(socket)
            assert isinstance(told, dict) and told["code"] == "usage"
        del web.node.lives.by_id[live.entry.live]
        async with parts_of(web, live) as socket:
            told = await take(socket)
            assert isinstance(told, dict) and told["code"] == "not_found"

    run(_test)


def test_the_overlay_names_who_feeds_whom() -> None:
    async def _test(web: Serving) -> None:
        source, relay, child = (web.node.meet(name) for name in ("Stage", "Relay", "Child"))
        me = web.node.identity.node
        live = web.node.lives.add(node=source)
        live.report.stripes = [FakeStripe((relay, source), (child,)), FakeStripe((source,))]
        base = f"/api/v1/lives/{live.entry.live.hex()}"
        got = (await web.client.get(f"{base}/overlay")).json()
        names = {one["id"]: one["name"] for one in got["nodes"]}
        links = {(names[x["from"]], names[x["to"]], x["stripe"]) for x in got["links"]}
        mine = names[me.hex()]
        assert links == {
            ("Stage", "Relay", 0),
            ("Relay", mine, 0),
            ("Stage", mine, 1),
            (mine, "Child", 0),
        }
        assert (got["me"], got["source"]) == (me.hex(), source.hex())

    run(_test)


def test_an_encoder_is_told_where_to_send_and_with_which_key() -> None:
    async def _test(web: Serving) -> None:
        wanted = {"source": "rtmp:", "title": "From OBS", "dvr_s": 60}
        got = (await web.client.post("/api/v1/lives", json=wanted)).json()
        assert got["encoder"]["server"].startswith("rtmp://127.0.0.1:") and got["is_mine"]
        options, title, dvr_s, _, _ = web.node.lives.started[0]
        assert (title, dvr_s) == ("From OBS", 60)
        assert options.rtmp_key == got["encoder"]["key"] and len(options.rtmp_key) >= 16
        everywhere = {"source": "rtmp://0.0.0.0:19350/show", "title": "Hall", "rtmp_key": "abc"}
        got = (await web.client.post("/api/v1/lives", json=everywhere)).json()
        assert got["encoder"] == {"server": "rtmp://127.0.0.1:19350/show", "key": "abc"}
        assert (await web.client.delete(f"/api/v1/lives/{got['id']}")).status_code == 204
        assert web.node.lives.get(LiveId(bytes.fromhex(got["id"]))).state == "ended"

    run(_test)


class Sink:
    """The ingest's end of a feed."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(self, chunk: bytes) -> None:
        self.got.put_nowait(chunk)

    async def recorded(self) -> None:
        self.got.put_nowait(b"(recorded)")

    async def closed(self) -> None:
        self.got.put_nowait(b"(closed)")


def test_what_a_browser_records_reaches_the_ingest_and_may_come_back() -> None:
    async def _test(web: Serving) -> None:
        wanted = {"source": "push:", "title": "Camera"}
        got = (await web.client.post("/api/v1/lives", json=wanted)).json()
        feed = web.node.lives.started[0][0].feed
        assert got["is_from_browser"] and feed is not None
        sink = Sink()
        await feed.attach(sink)
        address = f"ws://{web.server.host}:{web.server.port}/live-in?live={got['id']}"
        for recording in (b"first", b"second"):
            async with connect(address) as socket:
                await socket.send(recording)
                assert await sink.got.get() == recording
                async with connect(address) as other:  # one at a time
                    assert json.loads(await other.recv())["code"] == "conflict"
            assert await sink.got.get() == b"(recorded)"
        async with connect(f"{address[:-64]}{'00' * 32}") as socket:
            assert json.loads(await socket.recv())["code"] == "not_found"

    run(_test)


def test_a_source_that_cannot_work_is_refused_in_a_sentence() -> None:
    async def _test(web: Serving) -> None:
        for source in ("/nowhere/film.mp4", "gopher://old", "rtsp://"):
            got = await web.client.post("/api/v1/lives", json={"source": source, "title": "T"})
            assert got.status_code == 400 and got.json()["error"]["code"] == "usage", source
        assert web.node.lives.started == []

    run(_test)
