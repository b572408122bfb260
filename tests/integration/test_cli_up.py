"""`headwater up` as a process: what it prints, refuses, how it ends; a file from node to node."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from headwater.lab.cluster import Cluster, LabNode
from headwater.lab.nursery import Nursery

pytestmark = pytest.mark.timeout(60)

HEADWATER = [sys.executable, "-m", "headwater"]
ALONE = ["--no-discovery", "--link-bind", "127.0.0.1:0", "--config", os.devnull]


@contextmanager
def running(state: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    command = [*HEADWATER, "up", *words, *ALONE, "--state", str(state)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip() for _ in range(count)]


def headwater(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*HEADWATER, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_tells_five_lines_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    videos, state = tmp_path / "videos", tmp_path / "state"
    videos.mkdir()
    with running(state, str(videos), "--name", "Anna", "--http", "127.0.0.1:0") as process:
        told = lines(process, 5)
        note = json.loads((state / "runtime.json").read_text())
        assert (state / "runtime.json").stat().st_mode & 0o777 == 0o600
        process.send_signal(number)
        rest, errors = process.communicate()
    assert [line.split()[0] for line in told] == ["Node", "Page", "Sharing", "Machines", "Stop"]
    assert told[0].endswith("Anna") and note["http"] in told[1] and str(videos) in told[2]
    assert (process.returncode, rest, errors) == (0, "", "")
    assert not (state / "runtime.json").exists()


FAULTY = """
import logging, sys
from headwater.cli import main
from headwater.node.node import Node

async def fail(self):
    logging.getLogger("headwater.test").warning("test.odd", extra={"what": "a\\x1b[2Jb c"})
    return 1 // 0

Node._run_parts = fail
sys.exit(main.run(sys.argv[1:]))
"""


def test_an_error_that_nobody_foresaw_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    words = ["up", "--http", "127.0.0.1:0", *ALONE, "--state", str(tmp_path / "state")]
    command = [sys.executable, "-c", FAULTY, *words]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1 and not answer.stdout
    odd, failed, *trace, last = answer.stderr.splitlines()
    assert odd == r'test.odd what="a\x1b[2Jb c"'
    assert failed == "node.failed" and any("in fail" in line for line in trace)
    assert last.startswith("headwater: the node ended") and "ZeroDivisionError" in last


def test_a_state_in_use_names_the_node_that_uses_it(tmp_path: Path) -> None:
    with running(tmp_path / "state", "--http", "127.0.0.1:0") as first:
        lines(first, 5)
        with running(tmp_path / "state", "--http", "127.0.0.1:0") as second:
            told, error = second.communicate()
        assert second.returncode == 4 and not told
        assert f"is in use by the node with pid {first.pid}: stop that one" in error
        assert error.count("\n") == 1


def test_a_port_in_use_is_told_when_it_was_asked_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(tmp_path / "state", "--http", f"127.0.0.1:{port}") as process:
            _, error = process.communicate()
    assert process.returncode == 4
    assert error.startswith("headwater: ") and f"port {port} is in use" in error
    assert error.count("\n") == 1


def test_a_state_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    answer = headwater("up", *ALONE, "--state", str(tmp_path / "state"))
    assert answer.returncode == 5
    assert answer.stderr.endswith("choose another with --state\n")


def test_all_wrong_settings_are_told_a_line_each(tmp_path: Path) -> None:
    words = ("--http", "nowhere", "--up-limit", "fast", "--state", str(tmp_path))
    answer = headwater("up", *words)
    assert answer.returncode == 2 and answer.stderr.count("\n") == 2
    assert "--http: must be host:port" in answer.stderr
    assert "--up-limit: 'fast' is no size" in answer.stderr


def test_a_file_or_no_folder_to_share_is_told(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"x")
    state = str(tmp_path / "state")
    folders = str(tmp_path / "film.mp4"), str(tmp_path / "none")
    answer = headwater("up", *folders, *ALONE, "--state", state)
    assert answer.returncode == 2
    assert "film.mp4 is a file" in answer.stderr and "there is no folder" in answer.stderr


@pytest.mark.parametrize("what", ["null", "file", "closed"])
def test_a_standard_input_that_nobody_can_close_is_refused(tmp_path: Path, what: str) -> None:
    plain = tmp_path / "plain"
    plain.write_text("text")
    command = ["up", "--until-stdin-closes", *ALONE, "--state", str(tmp_path / "state")]
    with (plain if what == "file" else Path(os.devnull)).open() as given:
        answer = subprocess.run(
            [*HEADWATER, *command],
            stdin=given,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=partial(os.close, 0) if what == "closed" else None,
        )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "standard input is no pipe" in answer.stderr and answer.stderr.count("\n") == 1
    assert not (tmp_path / "state").exists()


def test_it_ends_when_the_other_end_of_standard_input_does(tmp_path: Path) -> None:
    words = ["up", "--until-stdin-closes", "--http", "127.0.0.1:0", *ALONE]
    with subprocess.Popen(
        [*HEADWATER, *words, "--state", str(tmp_path / "state")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        lines(process, 5)
        process.communicate()
    assert process.returncode == 0


def test_a_file_goes_from_node_to_node_by_name_alone(
    nursery: Nursery | None, tmp_path: Path
) -> None:
    payload = os.urandom(700_000)
    (tmp_path / "Sea & sand.bin").write_bytes(payload)

    async def _run() -> None:
        async with Cluster(nursery=nursery) as cluster:
            anna = await cluster.start_node("anna")
            ben = await cluster.start_node("ben", join=[anna])
            shared = await ask(anna, "share", str(tmp_path / "Sea & sand.bin"))
            assert shared.returncode == 0, shared.stderr
            assert "headwater://video/" in shared.stdout
            await listed(ben, "Sea & sand")
            (tmp_path / "got").mkdir()
            got = await ask(ben, "get", "sea", "-o", str(tmp_path / "got"))
            assert got.returncode == 0, got.stderr
            assert (tmp_path / "got" / "Sea & sand.bin").read_bytes() == payload
            gone = await ask(anna, "unshare", str(tmp_path / "Sea & sand.bin"))
            assert gone.returncode == 0, gone.stderr

    asyncio.run(_run())


async def ask(node: LabNode, *words: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(headwater, *words, "--state", str(node.state))


async def listed(node: LabNode, title: str) -> None:
    """Until the node's library has it: the catalogue spreads by itself."""
    while True:
        found = await asyncio.to_thread(node.api.get, "/api/v1/videos", q=title)
        if found["total"]:
            return
        await asyncio.sleep(0.05)
