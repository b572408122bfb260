"""Real nodes as the benchmarks see them: what they know, whom they reach, what they sent."""

import asyncio
import re
import shutil
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from headwater.errors import NodeError
from headwater.lab.cluster import LabNode

__all__ = ["done", "knows", "linked", "sent_bytes", "shares", "throw_away", "until"]

POLL_S = 0.05
LINKS = "headwater_neighbours"
SENT = "headwater_sent_bytes_total"

T = TypeVar("T")


async def until(
    what: str,
    probe: Callable[[], Awaitable[T | None]],
    timeout_s: float = 60,
    poll_s: float = POLL_S,
) -> T:
    """What `probe` answers as soon as that is something. Raises: TimeoutError naming `what`."""
    try:
        async with asyncio.timeout(timeout_s):
            found = await probe()
            while not found:
                await asyncio.sleep(poll_s)
                found = await probe()
            return found
    except TimeoutError as error:
        raise TimeoutError(f"not within {timeout_s} s: {what}") from error


async def _ask(node: LabNode, path: str) -> Any:
    with suppress(NodeError):
        return await asyncio.to_thread(node.api.get, path)
    return None


async def shares(node: LabNode, videos: int = 1) -> list[Any]:
    """What it shares, once that are so many and none is being prepared any more."""

    async def probe() -> list[Any] | None:
        found = await _ask(node, "/api/v1/videos?scope=here")
        jobs = await _ask(node, "/api/v1/jobs")
        if not found or jobs is None or found["total"] < videos:
            return None
        ended = all(job["phase"] in ("done", "failed", "cancelled") for job in jobs["jobs"])
        return list(found["videos"]) if ended else None

    return await until(f"{node.name} shares {videos}", probe, timeout_s=180)


async def knows(node: LabNode, video: str, holders: int = 1) -> Any:
    """The catalogue entry, once this node knows so many machines that have all of it."""

    async def probe() -> Any:
        found = await _ask(node, f"/api/v1/videos/{video}")
        whole = [each for each in found["holders"] if each["whole"]] if found else []
        return found if len(whole) >= holders else None

    return await until(f"{node.name} knows {holders} holders of the video", probe)


async def linked(node: LabNode, peers: int) -> None:
    """Wait until it has so many links."""

    async def probe() -> bool:
        return (await _metric(node, LINKS) or 0) >= peers

    await until(f"{node.name} has {peers} links", probe)


async def sent_bytes(node: LabNode) -> float | None:
    """Payload bytes it sent to other nodes since it started; None when it does not count them."""
    return await _metric(node, SENT)


async def _metric(node: LabNode, name: str) -> float | None:
    """One number of its /metrics."""

    def read() -> str:
        with urllib.request.urlopen(f"{node.page}/metrics", timeout=10) as answer:
            return str(answer.read(), "utf-8")

    found = re.search(rf"^{name} (\S+)$", await asyncio.to_thread(read), re.MULTILINE)
    return float(found[1]) if found else None


async def done(node: LabNode, job: str, timeout_s: float = 180) -> Any:
    """The job once it ended. Raises: RuntimeError when it failed."""

    async def probe() -> Any:
        found = await _ask(node, "/api/v1/jobs")
        jobs = [each for each in found["jobs"] if each["id"] == job] if found else []
        if jobs and jobs[0]["phase"] in ("failed", "cancelled"):
            raise RuntimeError(f"{node.name}: {jobs[0]['error'] or jobs[0]['phase']}")
        return jobs[0] if jobs and jobs[0]["phase"] == "done" else None

    return await until(f"{node.name} has done its job", probe, timeout_s)


async def throw_away(node: LabNode) -> None:
    """End it and remove what it has on disk."""
    await node.stop()
    await asyncio.to_thread(shutil.rmtree, node.state, ignore_errors=True)
