"""Jobs of the node followed to their end, with a bar each on a terminal."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from headwater.cli import units
from headwater.cli.client import Api, kind_of
from headwater.cli.session import Session
from headwater.errors import NotFound

__all__ = ["ENDED", "Job", "bar", "follow"]

Job = Mapping[str, Any]
"""As the API describes one."""

POLL_S = 0.2
ENDED = ("done", "failed", "cancelled")
MAX_TITLE = 40

Show = Callable[[Sequence[Job]], None]


def follow(session: Session, api: Api, jobs: Sequence[Job]) -> list[Job]:
    """The jobs as they ended; Ctrl-C cancels the others. Raises: NodeError when one failed."""
    wanted = {job["id"] for job in jobs}
    latest = list(jobs)
    try:
        with _bars(session) as show:
            show(latest)
            while not all(job["phase"] in ENDED for job in latest):
                time.sleep(POLL_S)
                latest = [job for job in api.get("/api/v1/jobs")["jobs"] if job["id"] in wanted]
                show(latest)
    except KeyboardInterrupt:
        for job in latest:
            with contextlib.suppress(NotFound):
                api.delete(f"/api/v1/jobs/{job['id']}")
        raise
    failed = [job for job in latest if job["phase"] != "done"]
    if failed:
        raise kind_of(failed[0].get("code", ""))("\n".join(_problem(job) for job in failed))
    return latest


def _problem(job: Job) -> str:
    return job["error"] or f"{job['title']} was cancelled"


@contextlib.contextmanager
def bar(session: Session, title: str) -> Iterator[Callable[[int, int], None]]:
    """One bar for work of our own: call what it gives with what is done and the total."""
    with _bars(session) as show:

        def report(done: int, total: int) -> None:
            phase = "done" if done >= total else "making"
            told = {"id": "", "title": title, "phase": phase, "done": done, "total": total}
            show([{**told, "rate": 0.0, "eta_s": None}])

        yield report


@contextlib.contextmanager
def _bars(session: Session) -> Iterator[Show]:
    """Name, bar, done, rate, time left. Nothing where no person looks on."""
    from rich.console import Console

    console = Console()
    if session.as_json or session.quiet or not console.is_terminal:
        yield lambda jobs: None
        return
    from rich.progress import BarColumn, Progress, TaskID, TextColumn

    title = TextColumn("{task.description}", markup=False)
    told = TextColumn("{task.fields[told]}", markup=False)
    with Progress(title, BarColumn(), told, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def show(jobs: Sequence[Job]) -> None:
            for job in jobs:
                if job["id"] not in tasks:
                    tasks[job["id"]] = progress.add_task(_short(job["title"]), told="")
                total = job["total"] or None
                done = total if job["phase"] == "done" else job["done"]
                progress.update(tasks[job["id"]], total=total, completed=done, told=_told(job))

        yield show


def _short(title: str) -> str:
    return title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"


def _told(job: Job) -> str:
    if job["phase"] in ENDED:
        return str(job["phase"])
    words = [job["phase"]]
    if job["total"]:
        words.append(f"{100 * job['done'] // job['total']} %")
    if job["rate"]:
        is_bytes = job["unit"] == "bytes"
        words.append(units.rate(job["rate"]) if is_bytes else f"{job['rate'] / 1000:.1f} x")
    if job["eta_s"] is not None:
        words.append(f"{units.duration(job['eta_s'])} left")
    return ", ".join(words)
