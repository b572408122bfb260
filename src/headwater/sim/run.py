"""One scenario from beginning to end."""

from collections.abc import Callable

from headwater.sim.result import Result, Watch
from headwater.sim.scenarios import SCENARIOS
from headwater.sim.simulation import MakeCore, Simulation, overlay_core

__all__ = ["run"]

STEP_S = 1.0


def run(
    name: str,
    nodes: int,
    *,
    seed: int = 1,
    window_s: float | None = None,
    make_core: MakeCore = overlay_core,
    progress: Callable[[float, float], None] = lambda now, end: None,
) -> Result:
    """The same for the same arguments, always. `progress(now, end)`: virtual seconds.
    Raises: KeyError when there is no scenario of that name."""
    scenario = SCENARIOS[name]
    simulation = Simulation(scenario.plan(nodes, seed, window_s), make_core)
    watch = Watch(simulation)
    simulation.start()
    scenario.script(simulation)
    while simulation.clock.now < watch.end_s:
        simulation.run(min(simulation.clock.now + STEP_S, watch.end_s))
        progress(simulation.clock.now, watch.end_s)
    return watch.result(name)
