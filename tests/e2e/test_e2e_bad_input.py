"""What the world gets wrong: a clear line that names the thing, nothing lost, the node stays up."""

import asyncio
import http.client
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from e2e_doors import (
    largest_file,
    narrow_disk,
    only_loopback,
    plain_rights,
    with_plain_rights,
)
from e2e_films import Films, noise
from e2e_nodes import cli, ended, holds, until, video_of

from headwater.errors import Unavailable
from headwater.lab.cluster import Cluster, LabNode

pytestmark = pytest.mark.timeout(120)

MB = 1_000_000
LOOPBACK = ("--link-bind", "127.0.0.1:0", "--no-discovery", "--until-stdin-closes")


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        taken_port = taken.getsockname()[1]
        http_flags = ("--http", f"127.0.0.1:{taken_port}")
        answer = await cli(tmp_path / "state", "up", *http_flags, *LOOPBACK)
    assert (answer.code, len(answer.errors)) == (4, 1)
    assert f"port {taken_port}" in answer.errors[0]


async def test_a_state_folder_in_use_names_who_uses_it(cluster: Cluster) -> None:
    node = await cluster.start_node("first")
    answer = await cli(node, "up", "--http", "127.0.0.1:0", *LOOPBACK)
    assert (answer.code, len(answer.errors)) == (4, 1)
    assert str(node.pid) in answer.errors[0] and str(node.state) in answer.errors[0]
    assert node.api.get("/api/v1/status")["name"] == "first"


async def test_folders_that_cannot_be_shared_are_all_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "file.mp4").write_bytes(b"x")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o000)
    names = ("file.mp4", "locked", "missing")
    folders = [str(tmp_path / name) for name in names]
    try:
        answer = await cli(tmp_path / "state", "up", *folders, *LOOPBACK, preexec=plain_rights)
    finally:
        locked.chmod(0o700)
    assert answer.code == 2
    assert len(answer.errors) == 3
    assert all(any(name in line for line in answer.errors) for name in names)


async def test_a_state_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    try:
        answer = await cli(
            locked / "state", "up", "--http", "127.0.0.1:0", *LOOPBACK, preexec=plain_rights
        )
    finally:
        locked.chmod(0o700)
    assert (answer.code, len(answer.errors)) == (5, 1)
    assert str(locked) in answer.errors[0]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--up-limit", "fast"), "fast"),
        (("--join", "not an address"), "not an address"),
        (("--http", "nowhere"), "nowhere"),
        (("--max-peers", "0"), "max"),
        (("--config", "/nowhere/at/all.toml"), "/nowhere/at/all.toml"),
        (("--name", "x" * 65), "64"),
    ],
)
async def test_settings_that_make_no_sense_are_named(
    tmp_path: Path, flags: tuple[str, ...], named: str
) -> None:
    answer = await cli(tmp_path / "state", "up", "--http", "127.0.0.1:0", *LOOPBACK, *flags)
    assert (answer.code, len(answer.errors)) == (2, 1)
    assert named in answer.errors[0]


@pytest.mark.parametrize(
    "name", ["runtime.json", "copies.json", "catalogue.db", "shares.db", "identity.key"]
)
async def test_a_damaged_state_is_told_or_mended(
    cluster: Cluster, films: Films, folder: Path, name: str
) -> None:
    film = films.copy("index in front.mp4", folder)
    called = f"damaged {name}"
    node = await cluster.start_node(called, folders=[folder])
    await holds(node, film.stem)
    await node.stop()
    path = node.state / name
    if name == "identity.key":
        path = next(p for p in node.state.iterdir() if p.is_file() and p.stat().st_mode & 0o77 == 0)
    path.write_bytes(b"\0garbage\xff" * 40)
    try:
        node = await cluster.start_node(called, folders=[folder])
    except Unavailable as error:
        assert path.name in str(error) and "did not foresee" not in str(error)
    else:
        await holds(node, film.stem)


async def test_files_that_may_not_be_read_are_told_and_the_others_shared(
    films: Films, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = films.copy("index in front.mp4", folder, "Secret.mp4")
    secret.chmod(0)
    films.copy("index behind.mp4", folder, "Open.mp4")
    with_plain_rights(monkeypatch, tmp_path)
    async with Cluster(tmp_path / "nodes") as cluster:
        node = await cluster.start_node("plain", folders=[folder])
        await holds(node, "Open")
        problem = await until("it is told", lambda: _problem(node, secret))
        assert "Secret.mp4" in problem or "read" in problem
        secret.chmod(0o600)
        await holds(node, "Secret")


def _problem(node: LabNode, path: Path) -> str:
    shares = node.api.get("/api/v1/shares")["shares"]
    return next((str(share["problem"]) for share in shares if share["path"] == str(path)), "")


async def test_a_folder_that_goes_and_comes_back_is_taken_back_and_shared_again(
    cluster: Cluster, films: Films, folder: Path
) -> None:
    films.copy("index in front.mp4", folder, "On a stick.mp4")
    node = await cluster.start_node("stick", folders=[folder])
    video = (await holds(node, "On a stick"))["id"]
    away = folder.with_name("unplugged")
    folder.rename(away)
    await until("it is gone", lambda: (video_of(node, video) or {}).get("state") != "shared")
    away.rename(folder)
    again = await until(
        "it is back", lambda: (video_of(node, video) or {}).get("state") == "shared"
    )
    assert again


async def test_a_copy_beyond_the_quota_says_so(cluster: Cluster, folder: Path) -> None:
    noise(folder / "too large.bin", 12 * MB)
    giver = await cluster.start_node("giver", folders=[folder])
    tight = {"HEADWATER_STORE_QUOTA_BYTES": "4MB"}
    taker = await cluster.start_node("tight", join=[giver], environment=tight)
    await holds(taker, "too large")
    answer = await cli(taker, "get", "too large", "-o", str(folder))
    assert (answer.code, len(answer.errors)) == (7, 1), answer.errors
    assert "quota" in answer.errors[0]
    assert [path.name for path in folder.iterdir()] == ["too large.bin"]
    assert taker.api.get("/api/v1/status")["peers"] == 1


async def test_a_copy_onto_a_full_disk_says_so_and_goes_on_when_there_is_room(
    cluster: Cluster, folder: Path
) -> None:
    """A real disk where we may make one, else a limit on the size of files."""
    original = noise(folder / "no room.bin", 12 * MB)
    giver = await cluster.start_node("giver-of-much", folders=[folder])
    no_reserve = {"HEADWATER_STORE_RESERVE_BYTES": "0"}
    state = cluster.root / "full"
    with narrow_disk(state, 9 * MB) as is_disk:
        taker = await cluster.start_node("full", join=[giver], environment=no_reserve)
        await holds(taker, "no room")
        if not is_disk:
            largest_file(taker.pid, 5 * MB)
        target = folder.with_name("target")
        target.mkdir()
        answer = await cli(taker, "get", "no room", "-o", str(target))
        assert (answer.code, len(answer.errors)) == (7, 1), answer.errors
        assert list(target.iterdir()) == []
        assert taker.api.get("/api/v1/status")["name"] == "full"
        if is_disk:
            subprocess.run(
                ["mount", "-o", f"remount,size={40 * MB}", str(state)], check=True, timeout=10
            )
        else:
            largest_file(taker.pid, 40 * MB)
        answer = await cli(taker, "get", "no room", "-o", str(target))
        assert (answer.code, answer.errors) == (0, [])
        assert (target / "no room.bin").read_bytes() == original.read_bytes()
        await taker.stop()


async def test_an_upload_onto_a_full_disk_says_so_and_leaves_nothing(
    cluster: Cluster, folder: Path
) -> None:
    payload = noise(folder / "up.bin", 12 * MB).read_bytes()
    no_reserve = {"HEADWATER_STORE_RESERVE_BYTES": "0"}
    with narrow_disk(cluster.root / "full-too", 8 * MB) as is_disk:
        node = await cluster.start_node("full-too", environment=no_reserve)
        if not is_disk:
            largest_file(node.pid, 5 * MB)
        for is_told in (True, False):  # of its length before it comes

            def upload(is_told: bool = is_told) -> tuple[int, bytes]:
                with closing(http.client.HTTPConnection(node.address, timeout=60)) as connection:
                    body = payload if is_told else iter([payload[:MB], payload[MB:]])
                    connection.request("PUT", "/api/v1/uploads/up.bin", body)
                    answer = connection.getresponse()
                    return answer.status, answer.read()

            try:
                status, text = await asyncio.to_thread(upload)
            except (BrokenPipeError, ConnectionResetError):
                pass  # answered and hung up before all was sent
            else:
                assert status == 507, text
                assert b"full" in text
            await until("nothing is left", lambda: not list((node.state / "uploads").iterdir()))
        job = node.api.get("/api/v1/jobs")["jobs"][0]
        assert "full" in (await ended(node, job["id"]))["error"]
        await node.stop()


async def test_a_copy_into_a_full_folder_leaves_no_half_of_it(
    cluster: Cluster, folder: Path
) -> None:
    noise(folder / "handed over.bin", 12 * MB)
    giver = await cluster.start_node("hands", folders=[folder])
    taker = await cluster.start_node("takes", join=[giver])
    await holds(taker, "handed over")
    target = folder.with_name("small")
    with narrow_disk(target, 6 * MB) as is_disk:
        if not is_disk:
            pytest.skip("only root can make a disk that is full: the store's tests fill one")
        answer = await cli(taker, "get", "handed over", "-o", str(target))
        assert (answer.code, len(answer.errors)) == (7, 1), answer.errors
        assert str(target) in answer.errors[0] or "full" in answer.errors[0]
        assert list(target.iterdir()) == []


async def test_with_nothing_but_loopback_nodes_start_join_and_copy(folder: Path) -> None:
    """In a network of its own where the system allows that, else bound to loopback."""
    noise(folder / "alone.bin", MB)
    before = only_loopback()
    script = Path(__file__).with_name("e2e_alone.py")
    command = [*(before or []), sys.executable, str(script), str(folder)]
    command += [] if before else ["--link-bind", "127.0.0.1:0"]
    ran = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=100
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "the same"), ran.stderr[-3000:]


async def test_whatever_lies_in_a_folder_what_can_be_shared_is(
    cluster: Cluster, films: Films, folder: Path
) -> None:
    """Empty, no video, disguised, astray: each is itself or is told, none stops the others."""
    with closing(socket.create_server(("127.0.0.1", 0))) as trap:
        port = trap.getsockname()[1]
        outside = folder.with_name("outside.mp4")
        films.copy("index behind.mp4", folder.parent, outside.name)
        (folder / "empty.mp4").touch()
        (folder / "no video.mp4").write_bytes(b"these are words, not pictures\n" * 99)
        playlist = f"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:{port}/x.ts\n#EXTINF:9,\n{outside}\n"
        (folder / "playlist.mp4").write_text(playlist)
        (folder / "concat.mkv").write_text(f"ffconcat version 1.0\nfile '{outside}'\n")
        (folder / "astray.mp4").symlink_to(outside)
        (folder / "around").symlink_to(folder)
        for name in ("日本語の映画", "فيلم", "кино", "film 🎬", "-rf *;$(id)", "ﬁlm\u200bé"):
            films.copy("index in front.mp4", folder, f"{name}.mp4")
        node = await cluster.start_node("odd", folders=[folder])
        other = await cluster.start_node("odd-one", join=[node])
        for title in ("日本語の映画", "кино", "film 🎬", "-rf *;$(id)", "no video"):
            await holds(other, title)
        await until("it has looked at all", lambda: _jobs_ended(node))
        found = other.api.get("/api/v1/videos", limit=500)["videos"]
        titles = {video["title"] for video in found}
        assert "astray" not in titles and "empty" not in titles
        assert all(video["plays"] == "no" for video in found if video["title"] == "playlist")
        trap.setblocking(False)
        with pytest.raises(BlockingIOError):
            trap.accept()  # nobody called
        assert node.api.get("/api/v1/status")["name"] == "odd"


def _jobs_ended(node: LabNode) -> bool:
    jobs = node.api.get("/api/v1/jobs")["jobs"]
    return all(job["phase"] in ("done", "failed", "cancelled") for job in jobs)
