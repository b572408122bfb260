"""Lives by the command line, with a relay between: on air, listed, watched, recorded."""

import asyncio
import io
import itertools
import json
import signal
import sys
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from av.video.frame import VideoFrame
from e2e_commands import Running, running
from e2e_lives import sees
from e2e_loop import Loop
from e2e_nodes import ask, cli, holds, until, video_of
from e2e_players import is_in_order, playing

from headwater.lab.cluster import Cluster, LabNode
from headwater.link.topology import Place, Topology, write_topology
from headwater.media.live_clock import read_clock

pytestmark = pytest.mark.timeout(120)

PLACES = {
    "stage": Place(),
    "between": Place(("stage",)),
    "hall": Place(("between",)),
    "balcony": Place(("stage",)),
}
SMALL = ("--height", "180", "--fps", "10", "--bitrate", "1M")
BESIDE = "127.0.0.99:0"
"""An address that no node of the cluster has."""


@dataclass(frozen=True, slots=True)
class Chain:
    """`hall` knows `between` only, a `headwater relay` beside `stage`; `balcony` knows `stage`."""

    stage: LabNode
    hall: LabNode
    balcony: LabNode
    between: str
    """Its id."""


@pytest.fixture(scope="module")
def mesh(loop: Loop, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    file = tmp_path_factory.mktemp("mesh") / "mesh.toml"
    write_topology(Topology(PLACES), file)
    place = ["--topology", str(file)]

    async def start() -> tuple[Chain, Any]:
        stage = await cluster.start_node("stage", flags=place)
        words = ["relay", "--name", "between", "--join", stage.address, "--no-discovery", *place]
        words += ["--http", BESIDE]
        relaying = running(
            file.parent / "state", *words, environment={"HEADWATER_LINK_BIND": BESIDE}
        )
        relay = await relaying.__aenter__()
        between = await relay.says("ready")
        hall = await cluster.start_node("hall", join=[between["page"]], flags=place)
        balcony = await cluster.start_node("balcony", join=[stage], flags=place)
        return Chain(stage, hall, balcony, between["id"]), (relaying, relay)

    async def stop(relaying: Any, relay: Running) -> None:
        try:
            assert (await relay.ends(signal.SIGINT))[::2] == (0, [])
        finally:
            await relaying.__aexit__(None, None, None)

    mesh, begun = loop.run(start())
    yield mesh
    loop.run(stop(*begun))


def grey(jpeg: bytes) -> VideoFrame:
    with av.open(io.BytesIO(jpeg), "r", format="jpeg_pipe") as container:
        return next(container.decode(video=0)).reformat(format="gray")


def clock_of(path: Path) -> int:
    """When it was made, in milliseconds, by the time burnt into it."""
    picture = grey(path.read_bytes())
    plane = picture.planes[0]
    now_ms = read_clock(bytes(plane), picture.width, picture.height, plane.line_size)
    assert now_ms is not None, f"no time can be read in {path}"
    return now_ms


def file_of(node: LabNode, video: str) -> bytes:
    with urllib.request.urlopen(f"{node.page}/v/{video}/file", timeout=30) as answer:
        return bytes(answer.read())


async def saved(folder: Path, count: int) -> list[Path]:
    """The pictures in it, once there are so many."""

    def probe() -> list[Path] | None:
        found = sorted(folder.glob("frame_*.jpg"))
        return found if len(found) >= count else None

    return await until(f"{count} pictures", probe)


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
async def test_a_live_is_listed_watched_picture_by_picture_and_recorded(
    mesh: Chain, tmp_path: Path, codec: str
) -> None:
    title, frames = f"Evening {codec}", tmp_path / "frames"
    words = ("live", "test:", "--title", title, "--codec", codec, *SMALL)
    async with running(mesh.stage, *words) as live:
        live_id = (await live.says("on_air"))["id"]
        await sees(mesh.hall, live_id, "on")
        listed = await cli(mesh.hall, "ls")
        assert [each["is_mine"] for each in listed["lives"] if each["id"] == live_id] == [False]
        async with running(mesh.hall, "watch", title, "--save-frames", str(frames)) as watch:
            await saved(frames, 15)
            overlay = await ask(mesh.hall, f"/api/v1/lives/{live_id}/overlay")
            above = {link["from"] for link in overlay["links"] if link["to"] == mesh.hall.id}
            assert above == {mesh.between}
            async with playing(mesh.stage, live_id, "-1000") as player:
                code, told, errors = await live.ends(signal.SIGINT)
                assert (code, errors, told[-1]["event"]) == (0, [], "ended")
                code, watched, errors = await watch.ends()
                assert (code, errors) == (0, [])
                await player.until("it is over", lambda: player.is_done)
    pictures = await saved(frames, watched[-1]["pictures"])
    assert [path.name for path in pictures[:2]] == ["frame_000001.jpg", "frame_000002.jpg"]
    clocks = [clock_of(path) for path in pictures]
    assert all(before < after for before, after in itertools.pairwise(clocks))
    notes = [json.loads(line) for line in (frames / "parts.log").read_text().splitlines()]
    parts = [note for note in notes if note["event"] == "part"]
    assert is_in_order(player.parts) and player.parts[0].seq == 0
    sizes = {part.seq: len(part.payload) for part in player.parts}
    assert all(sizes[note["seq"]] == note["bytes"] for note in parts)
    recording = told[-1]["recording"]
    assert file_of(mesh.stage, recording) == b"".join(part.payload for part in player.parts)
    video = await until("the recording is known", lambda: video_of(mesh.hall, recording))
    assert video["title"] == title
    assert (await cli(mesh.hall, "watch", title))["video"] == recording
    if codec == "mjpeg":
        jpegs = [part.payload for part in player.parts if not part.is_init]
        assert all(jpeg[:2] == b"\xff\xd8" and jpeg[-2:] == b"\xff\xd9" for jpeg in jpegs)
        assert (frames / "frame_000001.jpg").read_bytes() in jpegs


async def test_who_kept_it_has_the_recording_at_once(mesh: Chain, tmp_path: Path) -> None:
    async with running(mesh.stage, "live", "test:", "--title", "Kept", *SMALL) as live:
        live_id = (await live.says("on_air"))["id"]
        await sees(mesh.balcony, live_id, "on")
        frames = str(tmp_path / "frames")
        async with running(
            mesh.balcony, "watch", "kept", "--keep", "--save-frames", frames
        ) as watch:
            await saved(tmp_path / "frames", 10)
            code, told, _ = await live.ends(signal.SIGINT)
            assert code == 0
            assert (await watch.ends())[0] == 0
    recording = told[-1]["recording"]

    def kept() -> bool:
        video = video_of(mesh.balcony, recording)
        return video is not None and video["have_bytes"] == video["size_bytes"]

    await until("it is whole here", kept)
    video = await holds(mesh.balcony, "Kept")
    assert any(holder["is_me"] and holder["whole"] for holder in video["holders"])
    assert file_of(mesh.balcony, recording) == file_of(mesh.stage, recording)


async def test_saving_pictures_ends_with_ctrl_c_and_what_is_saved_is_whole(
    mesh: Chain, tmp_path: Path
) -> None:
    async with running(mesh.stage, "live", "test:", "--title", "Long", "--no-record", *SMALL) as on:
        live_id = (await on.says("on_air"))["id"]
        await sees(mesh.hall, live_id, "on")
        async with running(mesh.hall, "watch", live_id, "--save-frames", str(tmp_path)) as watch:
            await saved(tmp_path, 5)
            code, told, errors = await watch.ends(signal.SIGINT)
        assert (code, errors) == (0, [])
        pictures = await saved(tmp_path, 5)
        assert told[-1]["pictures"] == len(pictures)
        assert all(clock_of(path) for path in pictures)
        assert (await on.ends(signal.SIGINT))[0] == 0
    assert "Long" not in [video["title"] for video in (await cli(mesh.stage, "ls"))["videos"]]


async def test_of_two_lives_with_one_title_the_person_is_asked_which(mesh: Chain) -> None:
    words = ("live", "test:", "--title", "Twins", "--no-record", *SMALL)
    async with running(mesh.stage, *words) as one, running(mesh.hall, *words) as other:
        ids = {(await each.says("on_air"))["id"] for each in (one, other)}
        for live_id in ids:
            await sees(mesh.hall, live_id, "on")
        listed = await cli(mesh.hall, "ls")
        assert {live["id"] for live in listed["lives"] if live["title"] == "Twins"} == ids
        asked = await cli(mesh.hall, "watch", "twins")
        assert (asked.code, len(asked.errors)) == (2, 1)
        assert all(live_id[:10] in asked.errors[0] for live_id in ids), asked.errors
        for live_id in ids:
            assert (await cli(mesh.hall, "watch", live_id[:10]))["live"] == live_id
        # as closing the window and as `kill` have it
        for each, number in ((one, signal.SIGHUP), (other, signal.SIGTERM)):
            code, told, errors = await each.ends(number)
            assert (code, told[-1]["event"], errors) == (0, "ended", [])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nowhere.mp4",), 2),
        (("gopher:",), 2),
        (("test:", "--bitrate", "fast"), 2),
        (("rtmp://203.0.113.9:1935/live/key",), 2),
    ],
)
async def test_what_cannot_go_on_air_is_told_in_one_line(
    mesh: Chain, words: tuple[str, ...], code: int
) -> None:
    answer = await cli(mesh.stage, "live", "--title", "Never", *words)
    assert (answer.code, len(answer.errors)) == (code, 1), answer.errors
    assert "Traceback" not in answer.errors[0] and "{" not in answer.errors[0]
    assert "Never" not in [live["title"] for live in (await cli(mesh.stage, "ls"))["lives"]]


async def test_a_file_that_is_no_video_is_told_in_one_line(mesh: Chain, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no video\n" * 99)
    answer = await cli(mesh.stage, "live", str(path))
    assert (answer.code, len(answer.errors)) == (2, 1), answer.errors
    assert "notes.txt" in answer.errors[0]


async def test_without_a_node_nothing_goes_on_air(tmp_path: Path) -> None:
    answer = await cli(tmp_path / "none", "live", "test:")
    assert (answer.code, len(answer.errors)) == (6, 1)
    assert "headwater up" in answer.errors[0]


async def test_pictures_are_saved_of_lives_only(mesh: Chain, tmp_path: Path) -> None:
    answer = await cli(mesh.hall, "watch", "no such live", "--save-frames", str(tmp_path / "no"))
    assert (answer.code, len(answer.errors)) == (3, 1)
    assert not (tmp_path / "no").exists()


async def test_who_waits_for_an_encoder_says_where_it_shall_send_to(mesh: Chain) -> None:
    command = [sys.executable, "-m", "headwater", "live", "rtmp:", "--no-record"]
    process = await asyncio.create_subprocess_exec(
        *(*command, "--state", str(mesh.stage.state)), stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    said = ""
    while "Key" not in said:
        line = (await process.stdout.readline()).decode()
        assert line, said
        said += line
    assert "rtmp://127.0.0.1:" in said
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_a_file_is_on_air_until_its_end(mesh: Chain, films: Any) -> None:
    film = await asyncio.to_thread(films.get, "short piece.mp4")
    async with running(mesh.stage, "live", str(film)) as live:
        told = await live.says("on_air")
        assert told["title"] == "short piece"
        code, said, errors = await live.ends()
    assert (code, errors) == (0, [])
    video = await until("its recording", lambda: video_of(mesh.stage, said[-1]["recording"]))
    assert video["duration_s"] == pytest.approx(3, abs=0.3)
