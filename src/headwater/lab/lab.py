"""The lab: a few nodes that know each other, the first of which shares a folder, until Ctrl-C."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from headwater import __version__
from headwater.errors import LocalUsageError
from headwater.lab.cluster import Cluster, LabNode

__all__ = ["MAX_NODES", "run_lab", "sample_folder"]

MAX_NODES = 50


async def run_lab(nodes: int, folder: Path, tell: Callable[[Sequence[LabNode]], None]) -> None:
    """Run until SIGINT or SIGTERM; `tell` hears of the nodes once all are ready.

    Raises: LocalUsageError for a number of nodes that cannot be, Unavailable when one fails."""
    if not 1 <= nodes <= MAX_NODES:
        raise LocalUsageError(f"a lab has 1 to {MAX_NODES} nodes, not {nodes}")
    lab, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert lab is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lab.cancel)
    with contextlib.suppress(asyncio.CancelledError):  # our own: the signal is how a lab ends
        async with Cluster() as cluster:
            first = await cluster.start_node("node-1", folders=[folder])
            names = [f"node-{number}" for number in range(2, nodes + 1)]
            others = (cluster.start_node(name, join=[first]) for name in names)
            tell([first, *await asyncio.gather(*others)])
            await asyncio.Event().wait()


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
