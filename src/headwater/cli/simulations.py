"""Runs of the simulator in processes of their own, as many at a time as there are cores.

Scenarios that begin alike are warmed up once: the process that did so is forked for each of them.
Where a system cannot fork, each is run from its start, which gives the same results, later.

Between processes go plain values: what mypyc compiled, and is frozen, cannot be unpickled."""

import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Semaphore
from typing import Any

from headwater.errors import Unavailable
from headwater.sim import SCENARIOS, Result, run
from headwater.sim.run import beginning, measure, warm
from headwater.sim.simulation import Plan
from headwater.sim.stream import PART_S

__all__ = ["run_all"]


@dataclass(frozen=True, slots=True)
class _Setting:
    """What is the same for all scenarios of a run."""

    nodes: int
    seed: int
    window_s: float | None
    part_s: float

    def plan(self, name: str) -> Plan:
        return SCENARIOS[name].plan(
            self.nodes, self.seed, window_s=self.window_s, part_s=self.part_s
        )


def run_all(
    names: Sequence[str],
    nodes: int,
    *,
    seed: int = 1,
    window_s: float | None = None,
    part_s: float = PART_S,
    ended: Callable[[Result], None] = lambda result: None,
    progress: Callable[[float, float], None] = lambda now, end: None,
) -> list[Result]:
    """In the order of `names`. `ended` is called with each as it is there; `progress(now, end)`,
    in virtual seconds, while a single one runs: it needs no other process.

    Raises: Unavailable when a process ended without a result."""
    if len(names) == 1:
        with _no_collection():
            result = run(
                names[0], nodes, seed=seed, window_s=window_s, part_s=part_s, progress=progress
            )
        ended(result)
        return [result]
    found: dict[str, Result] = {}
    for result in _results(names, _Setting(nodes, seed, window_s, part_s)):
        found[result.scenario] = result
        ended(result)
    return [found[name] for name in names]


def _groups(names: Sequence[str], setting: _Setting) -> list[list[str]]:
    """Those that begin alike, the most first."""
    groups: dict[Plan, list[str]] = {}
    for name in names:
        groups.setdefault(beginning(setting.plan(name)), []).append(name)
    return sorted(groups.values(), key=len, reverse=True)


def _results(names: Sequence[str], setting: _Setting) -> Iterator[Result]:
    context = get_context("spawn")
    cores = context.Semaphore(os.cpu_count() or 1)
    running: dict[Connection, BaseProcess] = {}
    try:
        for group in _groups(names, setting):
            mine, theirs = context.Pipe(duplex=False)
            process: BaseProcess = context.Process(
                target=_run_group, args=(group, setting, cores, theirs), name="headwater sim"
            )
            process.start()
            theirs.close()
            running[mine] = process
        left = set(names)
        while running:
            for pipe in wait(list(running)):
                assert isinstance(pipe, Connection)
                try:
                    result = Result(**pipe.recv())
                except EOFError:
                    running.pop(pipe).join()
                    continue
                left.discard(result.scenario)
                yield result
        if left:
            raise Unavailable(f"no result of {', '.join(sorted(left))}: too little memory?")
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _run_group(names: Sequence[str], setting: _Setting, cores: Semaphore, pipe: Connection) -> None:
    children: list[int] = []

    def end(*_: Any) -> None:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        os._exit(1)

    signal.signal(signal.SIGTERM, end)
    gc.disable()  # see _no_collection
    plans = {name: setting.plan(name) for name in names}
    if len(plans) == 1 or not hasattr(os, "fork"):
        for name, plan in plans.items():
            with cores:
                pipe.send(asdict(measure(warm(plan), name, plan)))
        return
    with cores:
        simulation = warm(plans[names[0]])
    turn = get_context("fork").Lock()
    for name, plan in plans.items():
        cores.acquire()
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            with suppress(BrokenPipeError):
                result = measure(simulation, name, plan)
                with turn:
                    pipe.send(asdict(result))
            cores.release()
            os._exit(0)
        children.append(child)
    for child in list(children):
        os.waitpid(child, 0)
        children.remove(child)


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
