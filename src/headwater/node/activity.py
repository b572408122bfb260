"""What the node is busy with, for people: what each job has done, how fast, how it ended."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from headwater.errors import Conflict, NodeError, NotFound
from headwater.node.events import Event, Events

__all__ = ["Activity", "Job"]

MAX_ENDED_JOBS = 200

Kind = Literal["share", "upload", "get"]
Phase = Literal[
    "waiting",
    "receiving",
    "probing",
    "preparing",
    "hashing",
    "fetching",
    "paused",
    "done",
    "failed",
    "cancelled",
]
_ENDED = ("done", "failed", "cancelled")


@dataclass(slots=True, eq=False)
class Job:
    """One thing under way. Units: `done` and `total` in bytes; while preparing, milliseconds."""

    id: str
    kind: Kind
    title: str
    started_s: float
    phase: Phase = "waiting"
    done: int = 0
    total: int = 0
    rate: float = 0.0
    """Units of `done` a second, over the last seconds."""
    video: str = ""
    """Hex id, once known."""
    error: str = ""
    code: str = ""
    """Of the error, where it has one: a NodeError's."""
    ended_s: float | None = None
    cancel: Callable[[], None] | None = field(default=None, repr=False)
    pause: Callable[[], None] | None = field(default=None, repr=False)
    """None while it cannot be paused."""
    resume: Callable[[], None] | None = field(default=None, repr=False)
    """None unless it is paused."""
    _mark: tuple[float, int] = (0.0, 0)

    @property
    def is_ended(self) -> bool:
        return self.phase in _ENDED


class Activity:
    """The jobs, newest last. Shape: all running ones and the last MAX_ENDED_JOBS ended ones."""

    def __init__(self, events: Events, now: Callable[[], float]) -> None:
        self._events, self._now = events, now
        self._ids = itertools.count(1)
        self._jobs: dict[str, Job] = {}

    def start(self, kind: Kind, title: str, cancel: Callable[[], None] | None = None) -> Job:
        job = Job(str(next(self._ids)), kind, title, self._now(), cancel=cancel)
        self._jobs[job.id] = job
        ended = [j.id for j in self._jobs.values() if j.is_ended]
        for old in ended[: max(0, len(ended) - MAX_ENDED_JOBS)]:
            del self._jobs[old]
        self._events.publish(Event("jobs", job.id))
        return job

    def progress(self, job: Job, phase: Phase, done: int, total: int) -> None:
        """Tell how far it is; listeners hear of it at most four times a second."""
        now = self._now()
        changed = phase != job.phase
        job.phase, job.done, job.total = phase, done, total
        since, before = job._mark
        if changed or since == 0.0 or done < before:
            job._mark, job.rate = (now, done), 0.0
        elif now - since >= 0.25:
            rate = (done - before) / (now - since)
            job.rate = rate if job.rate == 0.0 else 0.7 * job.rate + 0.3 * rate
            job._mark = (now, done)
        else:
            return
        self._events.publish(Event("job", job.id))

    def end(
        self,
        job: Job,
        phase: Literal["done", "failed", "cancelled"],
        error: str | NodeError = "",
    ) -> None:
        job.phase, job.error, job.ended_s = phase, str(error), self._now()
        job.code = error.code if isinstance(error, NodeError) else ""
        job.rate, job.cancel, job.pause, job.resume = 0.0, None, None, None
        self._events.publish(Event("jobs", job.id, job.error))

    def jobs(self) -> list[Job]:
        return list(self._jobs.values())

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop; it ends as `cancelled` soon after. Raises: NotFound if none runs."""
        job = self._running(job_id)
        if job.cancel is None:
            raise NotFound(f"job {job_id} is not running, there is nothing to cancel")
        job.cancel()

    def pause(self, job_id: str) -> None:
        """Let it rest until it is resumed, over a restart as well; nothing when it rests already.

        Raises: NotFound if none runs, Conflict when this one cannot."""
        job = self._running(job_id)
        if job.pause is not None:
            job.pause()
        elif job.resume is None:
            raise Conflict(f"{job.title} cannot be paused now: only copies can, while they come")

    def resume(self, job_id: str) -> None:
        """Let it go on; nothing when it does. Raises: NotFound if none runs."""
        job = self._running(job_id)
        if job.resume is not None:
            job.resume()

    def _running(self, job_id: str) -> Job:
        job = self._jobs.get(job_id)
        if job is None or job.is_ended:
            raise NotFound(f"job {job_id} is not running: it has ended, or never was")
        return job
