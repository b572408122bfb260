"""The command line as a person and as a script use it, against nodes that run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_films import Films, noise
from e2e_loop import Loop
from e2e_nodes import cli, holds, until, video_of

from headwater.lab.cluster import Cluster, LabNode

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True, slots=True)
class Pair:
    """`home` shares `folder`, `away` is where commands are given."""

    home: LabNode
    away: LabNode
    folder: Path


@pytest.fixture(scope="module")
def pair(
    loop: Loop, cluster: Cluster, films: Films, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("home")

    async def start() -> Pair:
        films.copy("index in front.mp4", folder, "Holiday 2024.mp4")
        films.copy("royalty free.webm", folder, "Holiday 2025.webm")
        noise(folder / "notes.bin", 300_000)
        home = await cluster.start_node("home", folders=[folder])
        away = await cluster.start_node("away", join=[home])
        for title in ("Holiday 2024", "Holiday 2025", "notes"):
            await holds(away, title)
        return Pair(home, away, folder)

    yield loop.run(start())


async def test_ls_and_search_list_what_there_is(pair: Pair) -> None:
    listed = await cli(pair.away, "ls")
    assert listed.code == 0
    assert {video["title"] for video in listed["videos"]} == {
        "Holiday 2024",
        "Holiday 2025",
        "notes",
    }
    found = await cli(pair.away, "search", "2025", "hol")
    assert [video["title"] for video in found["videos"]] == ["Holiday 2025"]
    assert (await cli(pair.away, "search", "nothing", "like", "it"))["total"] == 0


async def test_get_brings_the_very_file_by_name_id_and_link(pair: Pair, tmp_path: Path) -> None:
    video = await holds(pair.away, "notes")
    for number, name in enumerate(("notes", video["id"][:8], video["link"])):
        target = tmp_path / str(number)
        target.mkdir()
        got = await cli(pair.away, "get", name, "-o", str(target))
        assert (got.code, got.errors) == (0, [])
        assert (target / "notes.bin").read_bytes() == (pair.folder / "notes.bin").read_bytes()


async def test_get_without_a_folder_puts_it_where_one_is(pair: Pair, tmp_path: Path) -> None:
    got = await cli(pair.away, "get", "notes", cwd=tmp_path)
    assert got.code == 0
    assert (tmp_path / "notes.bin").read_bytes() == (pair.folder / "notes.bin").read_bytes()
    again = await cli(pair.away, "get", "notes", cwd=tmp_path)
    assert again.code in (0, 4), again.errors
    assert (tmp_path / "notes.bin").read_bytes() == (pair.folder / "notes.bin").read_bytes()


async def test_a_name_that_can_be_several_lists_them(pair: Pair) -> None:
    for command in ("get", "watch"):
        answer = await cli(pair.away, command, "holiday")
        assert answer.code == 2
        assert len(answer.errors) == 1
        assert "Holiday 2024" in answer.errors[0] and "Holiday 2025" in answer.errors[0]


@pytest.mark.parametrize("command", ["get", "watch", "unshare"])
async def test_a_name_that_nobody_knows_is_told_in_one_line(pair: Pair, command: str) -> None:
    answer = await cli(pair.away, command, "no such film")
    assert (answer.code, len(answer.errors)) == (3, 1)
    assert "no such film" in answer.errors[0]


async def test_watch_tells_the_address_and_it_is_one_that_answers(pair: Pair) -> None:
    answer = await cli(pair.away, "watch", "2024")
    video = await holds(pair.away, "Holiday 2024")
    assert (answer["url"], answer["opened"]) == (f"{pair.away.page}/watch/{video['id']}", False)
    assert (await cli(pair.away, "watch", "2024", "--player", "mpv"))["url"].endswith("/file")


async def test_status_and_peers_tell_of_the_other(pair: Pair) -> None:
    status = await cli(pair.away, "status")
    assert (status["name"], status["page"], status["is_owner"]) == ("away", pair.away.page, True)
    peers = await cli(pair.away, "peers")
    assert [(p["name"], p["connected"]) for p in peers["peers"]] == [("home", True)]
    assert peers["peers"][0]["rtt_ms"] > 0


async def test_share_waits_until_it_is_shared_and_unshare_takes_it_back(
    pair: Pair, films: Films, tmp_path: Path
) -> None:
    path = films.copy("index behind.mp4", tmp_path, "For a moment.mp4")
    shared = await cli(pair.home, "share", str(path))
    assert shared.code == 0
    assert shared["jobs"][0]["phase"] == "done"
    video = shared["jobs"][0]["video"]
    await until("the other sees it", lambda: video_of(pair.away, video))
    taken = await cli(pair.home, "unshare", str(path))
    assert (taken.code, taken.errors) == (0, [])
    await until("the other does not", lambda: video_of(pair.away, video) is None)
    assert path.exists()


async def test_only_the_owner_of_a_video_takes_it_back(pair: Pair) -> None:
    answer = await cli(pair.away, "unshare", "Holiday 2024")
    assert answer.code != 0 and len(answer.errors) == 1
    assert video_of(pair.home, (await holds(pair.home, "Holiday 2024"))["id"])


async def test_a_shared_folder_is_watched_from_then_on(
    pair: Pair, films: Films, tmp_path: Path
) -> None:
    folder = tmp_path / "later"
    folder.mkdir()
    assert (await cli(pair.home, "share", str(folder))).code == 0
    inside = folder / "deep" / "er"
    inside.mkdir(parents=True)
    films.copy("index in front.mp4", inside, "Came later.mp4")
    video = await holds(pair.away, "Came later")
    (inside / "Came later.mp4").unlink()
    await until("it is gone", lambda: video_of(pair.away, video["id"]) is None)
    assert (await cli(pair.home, "unshare", str(folder))).code == 0
    assert str(folder) not in pair.home.api.get("/api/v1/status")["folders"]


async def test_quiet_prints_bare_names_and_pipes_may_close(pair: Pair) -> None:
    command = f"{sys.executable} -m headwater ls --quiet --state {pair.away.state}"
    ran = subprocess.run(command.split(), capture_output=True, text=True, timeout=60)
    assert sorted(ran.stdout.splitlines())[:2] == ["Holiday 2024", "Holiday 2025"]
    ran = subprocess.run(
        ["sh", "-c", f"{command} | true"], capture_output=True, text=True, timeout=60
    )
    assert ran.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_prints_its_five_lines_and_ends_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "headwater", "up", str(tmp_path), "--name", "five"]
    command += ["--state", str(tmp_path / ".state"), "--config", os.devnull]
    command += ["--http", "127.0.0.1:0", "--link-bind", "127.0.0.1:0", "--no-discovery"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        lines = [process.stdout.readline() for _ in range(5)]
        assert [line.split()[0] for line in lines] == [
            "Node",
            "Page",
            "Sharing",
            "Machines",
            "Stop",
        ]
        assert str(tmp_path) in lines[2]
        process.send_signal(number)
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""
        assert process.wait() == 0
    assert not (tmp_path / ".state" / "runtime.json").exists()
