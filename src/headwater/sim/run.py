"""One scenario from beginning to end."""

from collections.abc import Callable
from dataclasses import replace

from headwater.sim.result import Result, Watch
from headwater.sim.scenarios import SCENARIOS
from headwater.sim.simulation import MakeCore, Plan, Simulation, overlay_core
from headwater.sim.stream import PART_S

__all__ = ["Progress", "beginning", "measure", "run", "warm"]

STEP_S = 1.0
Progress = Callable[[float, float], None]
"""Called with now and the end, virtual seconds."""


def _ignore(now: float, end: float) -> None:
    pass


def run(
    name: str,
    nodes: int,
    *,
    seed: int = 1,
    window_s: float | None = None,
    part_s: float = PART_S,
    make_core: MakeCore = overlay_core,
    progress: Progress = _ignore,
) -> Result:
    """The same for the same arguments, always. Raises: KeyError when there is no such scenario."""
    plan = SCENARIOS[name].plan(nodes, seed, window_s=window_s, part_s=part_s)
    simulation = warm(plan, make_core, progress)
    return measure(simulation, name, plan, progress)


def beginning(plan: Plan) -> Plan:
    """What two plans have in common whose simulations are the same up to the window."""
    return replace(plan, window_s=0.0)


def warm(
    plan: Plan, make_core: MakeCore = overlay_core, progress: Progress = _ignore
) -> Simulation:
    """A simulation whose window is about to start."""
    simulation = Simulation(plan, make_core)
    simulation.start()
    _advance(simulation, plan.window_from_s, plan.window_from_s + plan.window_s, progress)
    return simulation


def measure(simulation: Simulation, name: str, plan: Plan, progress: Progress = _ignore) -> Result:
    """Play the scenario out. `plan`: with the same beginning as the one it was made with."""
    simulation.plan = plan
    watch = Watch(simulation)
    SCENARIOS[name].script(simulation)
    _advance(simulation, watch.end_s, watch.end_s, progress)
    return watch.result(name)


def _advance(simulation: Simulation, until: float, end: float, progress: Progress) -> None:
    while simulation.clock.now < until:
        simulation.run(min(simulation.clock.now + STEP_S, until))
        progress(simulation.clock.now, end)
