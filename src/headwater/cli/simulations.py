"""Runs of the simulator in processes of their own, as many at a time as there are cores."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context

from headwater.sim import Result, run

__all__ = ["run_all"]


def run_all(
    names: Sequence[str],
    nodes: int,
    *,
    seed: int = 1,
    window_s: float | None = None,
    ended: Callable[[Result], None] = lambda result: None,
    progress: Callable[[float, float], None] = lambda now, end: None,
) -> list[Result]:
    """In the order of `names`. `ended` is called with each as it is there; `progress(now, end)`,
    in virtual seconds, while a single one runs: it needs no other process."""
    if len(names) == 1:
        result = _run(names[0], nodes, seed, window_s, progress)
        ended(result)
        return [result]
    workers = min(len(names), os.cpu_count() or 1)
    context = get_context("spawn")
    # each in a new process: what 10,000 nodes took is given back
    with ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=1) as pool:
        try:
            return _collect(pool, names, nodes, seed, window_s, ended)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list((pool._processes or {}).values()):
                process.terminate()
            raise


def _collect(
    pool: ProcessPoolExecutor,
    names: Sequence[str],
    nodes: int,
    seed: int,
    window_s: float | None,
    ended: Callable[[Result], None],
) -> list[Result]:
    futures: dict[Future[Result], str] = {
        pool.submit(_run, name, nodes, seed, window_s): name for name in names
    }
    found: dict[str, Result] = {}
    for future in as_completed(futures):
        result = found[futures[future]] = future.result()
        ended(result)
    return [found[name] for name in names]


def _run(
    name: str,
    nodes: int,
    seed: int,
    window_s: float | None,
    progress: Callable[[float, float], None] = lambda now, end: None,
) -> Result:
    with _no_collection():
        return run(name, nodes, seed=seed, window_s=window_s, progress=progress)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Millions of live objects and no cycles among the dead: looking for some takes a third of the
    time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        gc.collect()
