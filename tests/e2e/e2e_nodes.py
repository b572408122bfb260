"""What the end-to-end tests ask of nodes: states awaited, jobs to their end, the command line."""

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from headwater.errors import NodeError
from headwater.lab.cluster import Cluster, LabNode

__all__ = [
    "ENDED",
    "Answer",
    "ask",
    "cli",
    "ended",
    "holds",
    "log_tails",
    "metric",
    "shared",
    "until",
    "video_of",
]

T = TypeVar("T")

POLL_S = 0.05
LONG_S = 30.0
LOG_TAIL = 3000
ENDED = ("done", "failed", "cancelled")

Told = dict[str, Any]


async def until(
    what: str, probe: Callable[[], T | None], within_s: float = LONG_S, poll_s: float = POLL_S
) -> T:
    """What `probe` (blocking) finds, as soon as it finds something. Raises: TimeoutError."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                if found := await asyncio.to_thread(probe):
                    return found
                await asyncio.sleep(poll_s)
    except TimeoutError:
        raise TimeoutError(f"it never came true: {what}") from None


async def ask(node: LabNode, path: str, **query: object) -> Any:
    return await asyncio.to_thread(node.api.get, path, **query)


async def holds(node: LabNode, title: str, within_s: float = LONG_S) -> Told:
    """The one video that this node knows under exactly this title, once it does."""

    def probe() -> Told | None:
        found = node.api.get("/api/v1/videos", limit=500)["videos"]
        return next((video for video in found if video["title"] == title), None)

    return await until(f"{node.name} knows {title!r}", probe, within_s)


async def shared(node: LabNode, *titles: str, within_s: float = LONG_S) -> list[Told]:
    """The videos that it shares under these titles, once they are all there."""
    return [await holds(node, title, within_s) for title in titles]


def video_of(node: LabNode, video: str) -> Told | None:
    """None while the node does not know it."""
    try:
        found: Told = node.api.get(f"/api/v1/videos/{video}")
    except NodeError:
        return None
    return found


async def ended(node: LabNode, job: str, within_s: float = LONG_S) -> Told:
    """The job as it ended."""

    def probe() -> Told | None:
        jobs = node.api.get("/api/v1/jobs")["jobs"]
        found: Told = next(each for each in jobs if each["id"] == job)
        return found if found["phase"] in ENDED else None

    return await until(f"{node.name} has ended job {job}", probe, within_s)


def metric(node: LabNode, name: str) -> float:
    """One number of its /metrics."""
    with urllib.request.urlopen(f"{node.page}/metrics", timeout=10) as answer:
        text = str(answer.read(), "utf-8")
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"{node.name} has no metric {name}"
    return float(found[1])


class Answer(Told):
    """What a command printed with --json, with its exit code and what it said on stderr."""

    def __init__(self, ran: "subprocess.CompletedProcess[str]") -> None:
        lines = [line for line in ran.stdout.splitlines() if line.strip()]
        super().__init__(json.loads(lines[-1]) if lines else {})
        self.code, self.errors = ran.returncode, ran.stderr.splitlines()


async def cli(
    node: LabNode | Path,
    *words: str,
    preexec: Callable[[], None] | None = None,
    cwd: Path | None = None,
) -> Answer:
    """`headwater WORDS --json` with this node's state, as a process of its own."""
    state = node.state if isinstance(node, LabNode) else node
    command = [sys.executable, "-m", "headwater", *words, "--state", str(state), "--json"]
    clean = {key: value for key, value in os.environ.items() if key != "DISPLAY"}

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            input="",
            env=clean,
            cwd=cwd,
            preexec_fn=preexec,
            timeout=120,
        )

    return Answer(await asyncio.to_thread(run))


def log_tails(cluster: Cluster) -> list[tuple[str, str]]:
    """(heading, text) of every node that logged something."""
    tails = []
    for log in sorted(cluster.root.glob("*.log")):
        text = log.read_text("utf-8", "replace")[-LOG_TAIL:]
        if text.strip():
            tails.append((f"log of {log.stem}", text))
    return tails
