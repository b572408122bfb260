"""The lab: real nodes that know each other on one machine, until Ctrl-C."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from headwater import __version__
from headwater.errors import LocalUsageError, NodeError
from headwater.lab.cluster import Cluster, LabNode
from headwater.lab.nursery import nursery
from headwater.lab.page import LabPage
from headwater.lab.people import People
from headwater.link.topology import Topology, chain, read_topology, star, tree
from headwater.media.live_address import check_source
from headwater.media.live_options import LiveOptions

__all__ = ["MAX_NODES", "Plan", "run_lab", "sample_folder"]

MAX_NODES = 50
RESTART_S = 3.0
"""After this long a node that --kill-every killed comes back."""
_SHAPES = {"chain": chain, "star": star, "tree": tree}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the lab shall be."""

    nodes: int = 3
    topology: str = "auto"
    """`auto` (all may neighbour all), `chain`, `tree`, `star`, or a file (link/topology.py)."""
    folder: Path | None = None
    """What the first node shares."""
    live: str = ""
    """The source of a live that the first node makes and all others carry."""
    kill_every_s: float = 0.0
    slow: str = ""
    """The name of a node that sends SLOW_BYTES_PER_S at most."""

    def read(self) -> Topology | None:
        """Raises: LocalUsageError."""
        if self.topology == "auto":
            return None
        names = self.names()
        make = _SHAPES.get(self.topology)
        return make(names) if make else read_topology(Path(self.topology))

    def names(self) -> list[str]:
        return [f"node-{number}" for number in range(1, self.nodes + 1)]

    def check(self) -> tuple[list[str], Topology | None]:
        """The nodes' names, and who may neighbour whom. Raises: LocalUsageError for what cannot
        be."""
        topology = self.read()
        names = topology.names if topology else self.names()
        if not 1 <= len(names) <= MAX_NODES:
            raise LocalUsageError(f"a lab has 1 to {MAX_NODES} nodes, not {len(names)}")
        if self.slow and self.slow not in names:
            raise LocalUsageError(f"no node is called {self.slow!r}: there are {', '.join(names)}")
        if self.live:
            check_source(LiveOptions(self.live))
        return names, topology


async def run_lab(plan: Plan, tell: Callable[[Sequence[LabNode], str], None]) -> None:
    """Run until SIGINT or SIGTERM; `tell` hears of the nodes and the lab's page once all is ready.

    Raises: LocalUsageError for what cannot be, Unavailable when a node fails."""
    names, topology = plan.check()
    lab, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert lab is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lab.cancel)
    # what is suppressed is our own: the signal is how a lab ends
    with nursery() as home, contextlib.suppress(asyncio.CancelledError):
        async with Cluster(is_faulty=True, nursery=home) as cluster:
            people = People(cluster, names, plan.folder, topology)
            await people.start_all()
            if plan.live:
                await people.go_live(plan.live)
            if plan.slow:
                people.slow(plan.slow)
            page = LabPage(people)
            async with asyncio.TaskGroup() as group:
                group.create_task(page.run(), name="lab.page")
                if plan.kill_every_s:
                    killing = _kill_every(plan.kill_every_s, people)
                    group.create_task(killing, name="lab.kill")
                tell([cluster.nodes[name] for name in names], page.address)


async def _kill_every(every_s: float, people: People) -> None:
    """Any but the first and the last, one after the other; each comes back."""
    inner = people.names[1:-1] or people.names[-1:]
    while True:
        await asyncio.sleep(every_s)
        name = random.choice(inner)
        people.kill(name)
        await asyncio.sleep(min(RESTART_S, every_s))
        with contextlib.suppress(NodeError):
            await people.restart(name)


def sample_folder(report: Callable[[int, int], None]) -> Path:
    """A folder of sample videos, made at first use (some seconds) and kept in the cache."""
    import platformdirs

    from headwater.lab.samples import make_samples

    cache = platformdirs.user_cache_path("headwater", appauthor=False)
    folder = cache / f"samples-{__version__}"
    if not folder.exists():
        part = folder.with_suffix(f".{os.getpid()}.part")
        part.mkdir(parents=True)
        try:
            make_samples(part, report)
            with contextlib.suppress(OSError):  # somebody else was faster
                part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder
