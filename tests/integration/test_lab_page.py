"""The lab's page: what it shows, what its buttons do, who may press them, and its end."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.timeout(120)

WAIT_S = 40.0
Told = dict[str, Any]


class Lab:
    """A `headwater lab` that runs: its nodes' names and ids, and its page's API."""

    def __init__(self, process: "subprocess.Popen[str]", said: Sequence[Told]) -> None:
        self.process = process
        self.address = said[-1]["page"].removeprefix("http://")
        self.names = [node["name"] for node in said[:-1]]
        self.pids = [node["pid"] for node in said[:-1]]

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        """Status and body. `headers`: `Host`, `Origin` as they are to be claimed."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def nodes(self) -> dict[str, Told]:
        status, body = self.ask("GET", "/api/lab")
        assert status == 200
        return {node["name"]: node for node in json.loads(body)["nodes"]}

    def act(self, name: str, action: str) -> None:
        assert self.ask("POST", f"/api/lab/{name}/{action}") == (204, "")

    def shows(self, what: str, is_so: Callable[[dict[str, Told]], object]) -> dict[str, Told]:
        """The nodes, once they are so."""
        until = time.monotonic() + WAIT_S
        while not is_so(nodes := self.nodes()):
            assert time.monotonic() < until, f"never: {what}; {nodes}"
            time.sleep(0.1)
        return nodes


@contextmanager
def lab(folder: Path, *words: str) -> Iterator[Lab]:
    command = [sys.executable, "-m", "headwater", "lab", "--json", "--no-browser", *words]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield Lab(process, list(_said(process)))
        finally:
            process.terminate()


def _said(process: "subprocess.Popen[str]") -> Iterator[Told]:
    """Up to where it tells of the page."""
    assert process.stdout is not None
    for line in process.stdout:
        told = json.loads(line)
        yield told
        if told["event"] == "lab":
            return
    raise EOFError("the lab ended")


def fed_by(nodes: dict[str, Told], name: str) -> set[str]:
    names = {node["id"]: node["name"] for node in nodes.values()}
    return {names[link["from"]] for link in nodes[name]["links"]}


def test_a_live_goes_down_a_chain_whatever_is_done_to_it(tmp_path: Path) -> None:
    with lab(tmp_path, "--nodes", "4", "--topology", "chain", "--live", "test:") as chain:
        assert chain.names == [f"node-{number}" for number in range(1, 5)]

        def is_whole(nodes: dict[str, Told]) -> bool:
            above = [fed_by(nodes, name) for name in chain.names]
            return above == [set(), {"node-1"}, {"node-2"}, {"node-3"}]

        nodes = chain.shows("the chain", is_whole)
        assert [nodes[name]["pid"] for name in chain.names] == chain.pids
        chain.shows("how far behind", lambda nodes: nodes["node-4"]["delay_s"] is not None)

        chain.act("node-4", "slow")
        chain.act("node-3", "freeze")
        nodes = chain.shows("it is frozen", lambda nodes: nodes["node-3"]["is_frozen"])
        assert psutil.Process(nodes["node-3"]["pid"]).status() == psutil.STATUS_STOPPED
        assert nodes["node-4"]["is_slow"] and nodes["node-3"]["links"] == []
        chain.act("node-3", "thaw")
        chain.act("node-4", "fast")
        nodes = chain.shows("the chain mends", is_whole)
        assert not (nodes["node-3"]["is_frozen"] or nodes["node-4"]["is_slow"])

        chain.act("node-2", "kill")
        chain.shows("it is dead", lambda nodes: not nodes["node-2"]["is_running"])
        chain.act("node-2", "restart")
        nodes = chain.shows("it is back", is_whole)
        assert nodes["node-2"]["is_running"] and nodes["node-2"]["pid"] not in chain.pids

        chain.act("node-2", "forge")
        assert chain.nodes()["node-2"]["is_forging"]
        chain.shows("nobody takes anything from it", lambda nodes: not fed_by(nodes, "node-3"))
        path = "/api/lab/node-3/log"
        chain.shows("it is banned", lambda _: "neighbours.banned" in chain.ask("GET", path)[1])

        chain.act("node-3", "freeze")
        chain.process.send_signal(signal.SIGTERM)
        assert chain.process.wait(30) == 0
        pids = [node["pid"] for node in nodes.values()]
        assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert list(tmp_path.iterdir()) == []


def test_only_the_lab_s_own_page_may_press_its_buttons(tmp_path: Path) -> None:
    with lab(tmp_path, "--nodes", "1", "--folder", str(tmp_path)) as one:
        for foreign in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            for method, path in (("POST", "/api/lab/node-1/kill"), ("GET", "/api/lab")):
                status, body = one.ask(method, path, **foreign)
                assert (status, json.loads(body)["error"]["code"]) == (403, "forbidden")
        assert one.ask("POST", "/api/lab/node-1/kill", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
        assert one.nodes()["node-1"]["is_running"]
        assert one.ask("POST", "/api/lab/node-9/kill")[0] == 404
        assert one.ask("GET", "/api/lab/node-9/log")[0] == 404
        assert one.ask("POST", "/api/lab/node-1/explode")[0] == 400
        status, page = one.ask("GET", "/")
        assert status == 200 and "Headwater lab" in page


def test_nodes_that_are_killed_every_so_often_come_back(tmp_path: Path) -> None:
    words = ["--nodes", "3", "--folder", str(tmp_path), "--kill-every", "1", "--slow", "node-3"]
    with lab(tmp_path, *words) as rough:

        def is_back(nodes: dict[str, Told]) -> bool:
            inner = nodes["node-2"]
            return bool(inner["is_running"]) and inner["pid"] != rough.pids[1]

        nodes = rough.shows("it is back", is_back)
        assert [nodes[name]["pid"] for name in ("node-1", "node-3")] == rough.pids[::2]
        assert [nodes[name]["is_slow"] for name in rough.names] == [False, False, True]
