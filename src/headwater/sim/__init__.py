"""The very overlay that nodes run, thousands of times on a virtual clock. Pure.

`run` plays a scenario out: `headwater sim` is its face. What is simulated is the network and the
simplest shell; all decisions are those of `headwater.overlay`."""

from headwater.sim.result import Result
from headwater.sim.run import run
from headwater.sim.scenarios import MAIN, SCENARIOS

__all__ = ["MAIN", "SCENARIOS", "Result", "run"]
