"""The commands against the real API of a node in memory: what they print, and how they end."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from web_fakes import FakeNode, FakeShared, serving

from headwater.cli import main
from headwater.cli.status import MAX_PROBLEMS
from headwater.node.activity import Job
from headwater.node.runtime import write_runtime


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


@dataclass
class Shell:
    """A person at the keyboard of the machine on which `node` runs."""

    node: FakeNode
    state: Path

    async def __call__(self, *words: str) -> Answer:
        return await asyncio.to_thread(call, *words, "--state", str(self.state))


def call(*words: str) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main.run(words)
    return Answer(code, out.getvalue(), err.getvalue())


@asynccontextmanager
async def shell(state: Path) -> AsyncIterator[Shell]:
    node = FakeNode()
    async with serving(node) as web:
        node.page = web.server.address
        write_runtime(state, web.server.address, node.token)
        yield Shell(node, state)


async def end_job(node: FakeNode, how: Callable[[Job], None]) -> None:
    """End the first job as soon as there is one."""
    async with node.events.listen() as events:
        while not node.activity.jobs():
            await events.get()
    how(node.activity.jobs()[0])


def test_ls_shows_a_row_a_video_and_json_the_answer_itself(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            headwater.node.add(bytes(1_300_000), title="Holiday [2026]", duration_ms=62_000)
            shown = await headwater("ls")
            assert shown.code == 0 and not shown.err
            assert "Holiday [2026]" in shown.out and "1:02" in shown.out and "1.3 MB" in shown.out
            told = (await headwater("ls", "--json")).json
            assert isinstance(told, dict) and told["total"] == 1
            assert (await headwater("ls", "--quiet")).out == "Holiday [2026]\n"

    asyncio.run(_run())


def test_an_empty_library_says_what_to_do(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            assert "headwater share FOLDER" in (await headwater("ls")).out
            assert "'sea' " in (await headwater("search", "sea")).out.replace(":", " ")

    asyncio.run(_run())


def test_search_takes_several_words(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            headwater.node.add(b"x", title="Holiday by the sea")
            headwater.node.add(b"y", title="Other")
            found = (await headwater("search", "by", "the", "sea", "--quiet")).out
            assert found == "Holiday by the sea\n"

    asyncio.run(_run())


def test_get_follows_its_job_to_the_end(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            node = headwater.node
            video = node.add(b"film", title="Film", file_name="film.mp4")
            async with asyncio.TaskGroup() as group:
                group.create_task(end_job(node, lambda job: node.activity.end(job, "done")))
                got = group.create_task(headwater("get", "Film", "-o", "/videos", "--json"))
            assert got.result().json == {"video": video.hex(), "path": "/videos/film.mp4"}
            assert node.activity.jobs()[0].title == "/videos"

    asyncio.run(_run())


def test_a_job_that_fails_is_told_on_stderr_with_a_code(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            node = headwater.node
            film = tmp_path / "film.mp4"
            film.write_bytes(b"film")
            why = "film.mp4 cannot be read: mend it, then share it again"
            async with asyncio.TaskGroup() as group:
                group.create_task(end_job(node, lambda job: node.activity.end(job, "failed", why)))
                shared = group.create_task(headwater("share", str(film)))
            assert shared.result() == Answer(1, "", f"headwater: {why}\n")
            assert node.shares.shares[0].path == film

    asyncio.run(_run())


def test_what_is_unknown_or_can_be_several_is_said_with_a_code(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            unknown = await headwater("get", "nothing")
            assert unknown.code == 3 and unknown.err.startswith("headwater: no video is called")
            for payload in (b"1", b"2"):
                headwater.node.add(payload, title="Twice")
            several = await headwater("watch", "Twice")
            assert several.code == 2 and "can mean 2 videos" in several.err
            assert several.err.count("\n") == 1

    asyncio.run(_run())


def test_watch_without_a_desktop_prints_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater.cli.watch.has_desktop", lambda: False)

    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            video = headwater.node.add(b"film", title="Film").hex()
            page = await headwater("watch", "Film")
            assert f"{headwater.node.page}/watch/{video}" in page.out
            file = (await headwater("watch", video, "--player", "mpv", "--json")).json
            assert file == {
                "video": video,
                "url": f"{headwater.node.page}/v/{video}/file",
                "opened": False,
            }

    asyncio.run(_run())


def test_unshare_takes_a_path_that_is_gone_or_a_name(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            node = headwater.node
            video = node.add(b"film", title="Film")
            node.shares.shares = [FakeShared(Path("/gone.mp4"), video)]
            assert (await headwater("unshare", "/gone.mp4", "--json")).json == {
                "videos": [video.hex()],
                "uploads": [],
            }
            assert (await headwater("unshare", "Film")).out == "No longer shared: Film\n"
            assert node.forgotten == [video]

    asyncio.run(_run())


def test_unshare_says_where_an_upload_stays_and_deletes_it_when_told(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            node, path = headwater.node, Path("/state/uploads/film.mp4")
            video = node.add(b"film", title="Film")
            node.shares.uploads["film.mp4"] = b"film"
            for option, is_there in (("--keep-upload", True), ("--delete-upload", False)):
                node.shares.shares = [FakeShared(path, video)]
                told = (await headwater("unshare", "Film", option)).out
                assert f"still on the node's machine: {path}" in told
                assert (path.name in node.shares.uploads) == is_there
                assert ("It is deleted." in told) != is_there

    asyncio.run(_run())


def test_peers_and_status_tell_what_the_node_knows(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            assert "Nobody yet" in (await headwater("peers")).out
            headwater.node.meet("Bob's PC")
            peers = (await headwater("peers")).out
            assert "Bob's PC" in peers and "2.0 ms" in peers and "1.0 kB/s" in peers
            status = (await headwater("status")).out
            assert "Anna's laptop" in status and headwater.node.page in status
            assert f"/#token={headwater.node.token}" in status
            assert "Problem" not in status
            full = [
                FakeShared(tmp_path / f"{name}.mp4", None, "the disk is full")
                for name in range(MAX_PROBLEMS + 1)
            ]
            headwater.node.shares.shares += full[:MAX_PROBLEMS]
            assert "more" not in (await headwater("status")).out
            headwater.node.shares.shares += full[MAX_PROBLEMS:]
            status = (await headwater("status")).out
            assert "Problem   0.mp4: the disk is full\n" in status
            assert "and 1 more" in status
            told = (await headwater("status", "--json")).json
            assert isinstance(told, dict)
            assert len(told["problems"]) == MAX_PROBLEMS + 1

    asyncio.run(_run())


def test_sharing_what_is_not_there_names_the_path(tmp_path: Path) -> None:
    missing = tmp_path / "none.mp4"
    answer = call("share", str(missing), "--state", str(tmp_path))
    assert answer.code == 3
    assert answer.err == f"headwater: there is no file or folder {missing}: check the path\n"


def test_peers_blocks_and_unblocks_by_name_or_id(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            bob = headwater.node.meet("Bob's PC")
            headwater.node.meet("Bob's phone")
            several = await headwater("peers", "--block", "bob")
            assert several.code == 2 and bob.hex() in several.err and "phone" in several.err
            assert (await headwater("peers", "--unblock", "Bob's PC")).code == 3  # it is not
            assert (await headwater("peers", "--block", "bob's pc")).code == 0
            assert list(headwater.node.blocked) == [bob]
            assert "blocked" in (await headwater("peers")).out
            done = await headwater("peers", "--unblock", bob.hex()[:8], "--json")
            assert done.json == {"id": bob.hex(), "blocked": False}
            assert not headwater.node.blocked
            assert (await headwater("peers", "--block", "x", "--unblock", "y")).code == 2

    asyncio.run(_run())


def test_without_a_node_every_command_says_how_to_start_one(tmp_path: Path) -> None:
    for words in (["ls"], ["search", "x"], ["get", "x"], ["watch", "x"], ["peers"], ["status"]):
        answer = call(*words, "--state", str(tmp_path))
        assert answer.code == 6 and not answer.out
        assert "start one with `headwater up`" in answer.err and answer.err.count("\n") == 1


def test_a_node_that_was_killed_is_one_that_does_not_run(tmp_path: Path) -> None:
    async def _run() -> None:
        async with shell(tmp_path) as headwater:
            assert (await headwater("ls")).code == 0
        assert (await asyncio.to_thread(call, "ls", "--state", str(tmp_path))).code == 6

    asyncio.run(_run())


def test_wrong_usage_takes_one_line_and_code_2() -> None:
    for words in (["ls", "--none"], ["get"], ["fly"], ["watch", "x", "--player", "vcr"]):
        answer = call(*words)
        assert answer.code == 2 and answer.err.count("\n") == 1, answer
        assert answer.err.startswith("headwater: ")


def test_a_trace_is_shown_only_when_asked_for(tmp_path: Path) -> None:
    assert "Traceback" not in call("ls", "--state", str(tmp_path)).err
    assert "Traceback" in call("ls", "--state", str(tmp_path), "--debug").err


@pytest.mark.parametrize(
    "name", ["up", "share", "ls", "search", "watch", "get", "peers", "status", "unshare", "lab"]
)
def test_every_command_has_the_common_options(name: str) -> None:
    help_text = call(name, "--help").out
    assert all(option in help_text for option in ("--json", "--quiet", "--state", "--debug"))


def test_help_tells_the_exit_codes_and_version_the_version() -> None:
    assert "Exit codes: 0 done" in call("--help").out
    assert call("--version").out.startswith("headwater ")
