"""Lives while relays forge, die, freeze and crawl, while encoders come and go, while the mesh is
split: real processes, and what the player of the node below them is given."""

import asyncio
import io
import signal
import sys
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import live_clips
import pytest
from e2e_lives import go_live, sees
from e2e_loop import Loop
from e2e_nodes import ask, metric, until, video_of
from e2e_players import Player, is_in_order, playing
from live_clips import Clip

from headwater.lab.cluster import Cluster, LabNode
from headwater.link.topology import Place, Topology, write_topology

pytestmark = pytest.mark.timeout(150)

IS_FAULTY = True
"""The module's cluster obeys LabNode.fault()."""
SMALL: dict[str, Any] = {"height": 180, "fps": 25, "bitrate_bps": 1_000_000}
SLOW_BYTES_PER_S = 20_000
"""A sixth of what it takes to pass on the stream once."""
OURS = "rtmp://127.0.0.97/live" if sys.platform == "linux" else "rtmp:"
"""Where encoders are waited for: where no other program of this machine does so."""
MOMENT_PARTS = 10
"""A second: what a kill may cost that a player had been shown already."""
RELAYS = ("left", "right", "bridge")
PLACES = {
    "stage": Place(),
    "left": Place(("stage",)),
    "right": Place(("stage",)),
    "viewer": Place(("left", "right")),
    "bridge": Place(("stage",)),
    "far": Place(("bridge",)),
    "further": Place(("far",)),
    "solo": Place(("further",)),
}
"""Two ways to `viewer`; one, over `bridge`, to `far` and `further`, which alone knows `solo`."""

LAYERS = (("stage",), RELAYS, ("viewer", "far"), ("further",), ("solo",))
"""In the order of their start: all neighbours above are there already."""


class Mesh:
    """A live of `stage` is on air all the time."""

    def __init__(self, cluster: Cluster, file: Path) -> None:
        self._cluster, self._file = cluster, file
        self._topology = Topology(PLACES)
        self.live = ""
        write_topology(self._topology, file)

    def __getitem__(self, name: str) -> LabNode:
        return self._cluster.nodes[name]

    async def begin(self) -> None:
        for names in LAYERS:
            await asyncio.gather(*map(self.start, names))
        self.live = (await go_live(self["stage"], "Derby", keep_recording=False, **SMALL))["id"]
        for name in PLACES:
            if name != "solo":
                await sees(self[name], self.live, "on")

    async def start(self, name: str) -> LabNode:
        """It joins those of its neighbours that are there."""
        near = self._topology.neighbours(name)
        nodes = self._cluster.nodes
        beside = [nodes[other] for other in near if other in nodes and nodes[other].is_running]
        flags = ["--topology", str(self._file), *(["--carry"] if name in RELAYS else [])]
        return await self._cluster.start_node(name, join=beside, flags=flags)

    async def mend(self) -> None:
        """Everybody runs, honestly and as fast as they can, and knows their neighbours."""
        for name in PLACES:
            node = self[name]
            if not node.is_running:
                await self.start(name)
                continue
            node.kill(signal.SIGCONT)
            node.fault("slow 0")
            node.fault("forge off")
        for name in PLACES:
            await self.knows_its_neighbours(name)

    async def knows_its_neighbours(self, name: str) -> None:
        wanted = {self[other].id for other in self._topology.neighbours(name)}

        def probe() -> bool:
            peers = self[name].api.get("/api/v1/peers")["peers"]
            return wanted <= {peer["id"] for peer in peers if peer["connected"]}

        await until(f"{name} knows its neighbours", probe)

    async def feeders(self, name: str) -> list[LabNode]:
        """Who sends it a stripe, once somebody does."""

        def probe() -> list[LabNode]:
            overlay = self[name].api.get(f"/api/v1/lives/{self.live}/overlay")
            above = {link["from"] for link in overlay["links"] if link["to"] == self[name].id}
            return [node for node in self._cluster.nodes.values() if node.id in above]

        return await until(f"somebody feeds {name}", probe)

    @asynccontextmanager
    async def watched(self, *names: str) -> AsyncIterator[tuple[Player, ...]]:
        """What the publisher sends, and what the players of these nodes get of it."""
        async with playing(self["stage"], self.live) as truth:
            players = [playing(self[name], self.live) for name in names]
            begun = [await player.__aenter__() for player in players]
            try:
                yield truth, *begun
            finally:
                for player in players:
                    await player.__aexit__(None, None, None)


@pytest.fixture(scope="module")
def whole(loop: Loop, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(cluster, tmp_path_factory.mktemp("mesh") / "mesh.toml")
    loop.run(mesh.begin())
    yield mesh


@pytest.fixture
def mesh(loop: Loop, whole: Mesh) -> Iterator[Mesh]:
    """As if no test had been before."""
    loop.run(whole.mend())
    yield whole


def is_true(player: Player, truth: Player) -> bool:
    """Whether every part that it was given is what the publisher made, byte for byte."""
    made = truth.payloads
    known = [part for part in player.parts if part.seq in made]
    return len(known) > 10 and all(part.payload == made[part.seq] for part in known)


def never_goes_back(player: Player) -> bool:
    """Whether numbers and times grow, but for the init that a late reader gets first."""
    parts = [part for part in player.parts if not part.is_init]
    return all(a.seq < b.seq and a.pts_us <= b.pts_us for a, b in pairwise(parts))


async def catches_up(player: Player, truth: Player) -> None:
    """Until it has something that the publisher makes from now on."""
    edge = truth.edge
    await player.until("it is at the edge", lambda: player.edge > edge)


async def test_of_a_relay_that_forges_not_a_byte_is_shown(mesh: Mesh) -> None:
    async with mesh.watched("viewer") as (truth, player):
        forger = (await mesh.feeders("viewer"))[0]
        forger.fault("forge on")
        bans = "headwater_neighbours_bans_total"
        await until("it is banned", lambda: metric(mesh["viewer"], bans) > 0)
        await catches_up(player, truth)
        await player.plays_on(20)
        assert forger.id not in [node.id for node in await mesh.feeders("viewer")]
        assert is_true(player, truth) and never_goes_back(player)
        assert player.gaps == 0 and is_in_order(player.parts)
        assert metric(mesh["viewer"], "headwater_lives_parts_forged_total") > 0
        peers = (await ask(mesh["viewer"], "/api/v1/peers"))["peers"]
        assert forger.id not in [peer["id"] for peer in peers if peer["connected"]]
    # Honest before it meets the viewer anew, who would remember for a minute.
    await mesh.start(forger.name)
    await mesh.start("viewer")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_nobody_sees_the_relay_go_that_fed_them(mesh: Mesh, number: signal.Signals) -> None:
    async with mesh.watched("viewer", "far") as (truth, player, elsewhere):
        gone = (await mesh.feeders("viewer"))[0]
        gone.kill(number)
        await catches_up(player, truth)
        await player.plays_on(20)
        assert gone.id not in [node.id for node in await mesh.feeders("viewer")]
        assert is_true(player, truth) and never_goes_back(player)
        if not elsewhere.gaps:  # else this machine is too busy for anybody to play without
            assert player.gaps == 0 and is_in_order(player.parts)


async def test_a_relay_that_crawls_is_left(mesh: Mesh) -> None:
    async with mesh.watched("viewer") as (truth, player):
        slow = (await mesh.feeders("viewer"))[0]
        slow.fault(f"slow {SLOW_BYTES_PER_S}")

        def is_left() -> bool:
            overlay = mesh["viewer"].api.get(f"/api/v1/lives/{mesh.live}/overlay")
            return {"from": slow.id, "to": mesh["viewer"].id} not in [
                {"from": link["from"], "to": link["to"]} for link in overlay["links"]
            ]

        await until("it is left", is_left)
        await catches_up(player, truth)
        await player.plays_on(20)
        assert is_true(player, truth) and never_goes_back(player)


async def test_a_viewer_that_slept_goes_on_at_the_edge(mesh: Mesh) -> None:
    async with mesh.watched("viewer") as (truth, player):
        mesh["viewer"].kill(signal.SIGSTOP)
        await truth.plays_on(70)  # seven seconds
        mesh["viewer"].kill(signal.SIGCONT)
        edge = truth.edge
        await player.until("it is at the edge", lambda: player.edge >= edge)
        await player.plays_on(20)
        assert is_true(player, truth) and never_goes_back(player)


async def test_the_halves_of_a_split_mesh_join_again(mesh: Mesh) -> None:
    async with mesh.watched("far", "further", "viewer") as (truth, far, further, viewer):
        mesh["bridge"].kill(signal.SIGSTOP)
        await truth.plays_on(30)
        assert max(far.edge, further.edge) < truth.edge - 10
        mesh["bridge"].kill(signal.SIGCONT)
        await asyncio.gather(catches_up(far, truth), catches_up(further, truth))
        await asyncio.gather(far.plays_on(20), further.plays_on(20))
        for player in (far, further):
            assert is_true(player, truth) and never_goes_back(player)
        assert viewer.gaps == 0 and is_in_order(viewer.parts)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_only_relay_leaves_and_comes_back(mesh: Mesh, number: signal.Signals) -> None:
    async with mesh.watched("far", "further") as (truth, far, further):
        mesh["bridge"].kill(number)
        await mesh["bridge"].ended()
        await truth.plays_on(20)
        assert not far.is_done and not further.is_done
        await mesh.start("bridge")
        await asyncio.gather(catches_up(far, truth), catches_up(further, truth))
        await asyncio.gather(far.plays_on(20), further.plays_on(20))
        for player in (far, further):
            assert is_true(player, truth) and never_goes_back(player)


def pictures_of(raw: bytes) -> int:
    """How many a decoder finds, to the very end."""
    with av.open(io.BytesIO(raw), "r", format="mp4") as container:
        return len(list(container.decode(video=0)))


def file_of(node: LabNode, video: str) -> bytes:
    with urllib.request.urlopen(f"{node.page}/v/{video}/file", timeout=30) as answer:
        return bytes(answer.read())


async def test_of_a_publisher_that_is_killed_all_but_the_last_moment_is_recorded(
    mesh: Mesh,
) -> None:
    live = (await go_live(mesh["solo"], "Cut short", **SMALL))["id"]
    await sees(mesh["further"], live, "on")
    async with playing(mesh["further"], live) as away, playing(mesh["solo"], live, "-99") as home:
        await home.plays_on(40)
        mesh["solo"].kill()
        await mesh["solo"].ended()
        await home.until("it is gone", lambda: home.is_done)
        await mesh.start("solo")

        def probe() -> str:
            found: str = mesh["further"].api.get(f"/api/v1/lives/{live}")["recording"]
            return found

        recording = await until("the recording is known to others", probe)
        await away.until("it is over", lambda: away.is_done)
        assert away.texts[-1]["type"] == "ended" and never_goes_back(away)
    video = video_of(mesh["solo"], recording)
    assert video is not None and video["title"] == "Cut short"
    raw = await asyncio.to_thread(file_of, mesh["solo"], recording)
    assert is_in_order(home.parts)
    sure = home.parts[:-MOMENT_PARTS]
    assert raw.startswith(b"".join(part.payload for part in sure))
    assert pictures_of(raw) >= 2 * (len(sure) - 1)


@dataclass(frozen=True, slots=True)
class Studio:
    """Where encoders of the test send to."""

    server: str
    key: str

    @asynccontextmanager
    async def encoding(self, first: int, key: str = "") -> AsyncIterator[Process]:
        clip = Clip(seconds=60, is_paced=True, first=first)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, live_clips.__file__, f"{self.server}/{key or self.key}", "flv"),
            live_clips.told(clip),
            stdout=DEVNULL,
            stderr=PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@asynccontextmanager
async def studio(mesh: Mesh, title: str) -> AsyncIterator[tuple[str, Studio]]:
    """A live of `stage` that waits for an encoder."""
    body = {"source": OURS, "title": title, "keep_recording": False}
    told = await asyncio.to_thread(mesh["stage"].api.post, "/api/v1/lives", body)
    live = str(told["id"])
    path = f"/api/v1/lives/{live}"
    listens = "waiting for an encoder"
    await until("it listens", lambda: listens in mesh["stage"].api.get(path)["message"])
    try:
        yield live, Studio(told["encoder"]["server"], told["encoder"]["key"])
    finally:
        await asyncio.to_thread(mesh["stage"].api.delete, f"/api/v1/lives/{live}")


async def test_an_encoder_may_vanish_and_come_back(mesh: Mesh) -> None:
    async with studio(mesh, "From outside") as (live, rtmp), rtmp.encoding(0) as encoder:
        await sees(mesh["viewer"], live, "on")
        async with playing(mesh["viewer"], live) as player:
            await player.plays_on(10)
            encoder.kill()
            waiting = await sees(mesh["stage"], live, "waiting")
            assert "encoder" in waiting["message"]
            await sees(mesh["viewer"], live, "waiting")
            assert len(player.inits) == 1 and not player.is_done
            async with rtmp.encoding(1000):
                await player.until("a new epoch", lambda: len(player.inits) == 2)
                await player.plays_on(10)
                await sees(mesh["viewer"], live, "on")
            assert never_goes_back(player) and player.gaps == 0
            assert numbers_of(player) == sorted(numbers_of(player))
            assert max(numbers_of(player)) >= 1000


def numbers_of(player: Player) -> Sequence[int]:
    """Those of the pictures, an epoch after the other."""
    begins = [n for n, part in enumerate(player.parts) if part.is_init]
    found: list[int] = []
    for begin, end in pairwise([*begins, len(player.parts)]):
        raw = b"".join(part.payload for part in player.parts[begin:end])
        found += [number for number in live_clips.play(raw).numbers if number is not None]
    return found


async def test_an_encoder_with_a_wrong_key_is_refused(mesh: Mesh) -> None:
    async with studio(mesh, "Keyed") as (live, rtmp):
        async with rtmp.encoding(0, key="guessed") as stranger:
            assert await stranger.wait() != 0
        path = f"/api/v1/lives/{live}"
        await until("it says so", lambda: "was refused" in mesh["stage"].api.get(path)["message"])
        assert (await sees(mesh["stage"], live, "waiting"))["media_type"] == ""
        async with rtmp.encoding(0):
            await sees(mesh["stage"], live, "on")
