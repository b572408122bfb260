"""The overlay that nodes run, on small simulated meshes: what must hold whatever happens."""

import pytest

from headwater.sim import MAIN, SCENARIOS, Result, run
from headwater.sim.hostile import BEHAVIOURS

NODES = 40
SEED = 3

LEAST_CONTINUITY = {
    "partition": 72.0,
    "restart": 85.0,
    "kill30": 97.0,
    "dark30": 97.0,
    "flash": 95.0,
    "sleep": 95.0,
}
USUAL_CONTINUITY = 97.0
LEAST_FED = 0.9
"""Small meshes are harder than large ones: the few strong nodes are easily hit together. With
`sleep`, 60 seeds gave 97.6 on average and 96.1 at least: who slept had no picture, and each small
change of the overlay draws anew who that is."""


def _check(result: Result) -> None:
    figures = result.figures
    assert figures["out_of_order"] == 0, "a player got a part twice or out of order"
    assert figures["lasting_loops"] == 0, "nodes feed each other in a ring"
    assert figures["banned_honest"] == 0, "an honest node was banned"
    assert figures["fed_ratio"] >= LEAST_FED
    least = LEAST_CONTINUITY.get(result.scenario, USUAL_CONTINUITY)
    assert figures["continuity_percent"] >= least


@pytest.mark.parametrize("name", MAIN)
def test_whatever_happens_viewers_are_fed_in_order_and_without_loops(name: str) -> None:
    _check(run(name, NODES, seed=SEED))


@pytest.mark.parametrize("name", sorted(BEHAVIOURS))
def test_hostile_relays_cost_their_children_little(name: str) -> None:
    _check(run(name, NODES, seed=SEED))


@pytest.mark.timeout(60)
def test_forgers_are_found_out_and_banned() -> None:
    figures = run("forge", 2 * NODES, seed=SEED).figures  # one of a few may have no child
    assert figures["forged_refused"] > 0
    assert figures["banned_hostile"] > 0


@pytest.mark.timeout(150)
def test_300_viewers_are_fed_by_a_source_with_uplink_for_five() -> None:
    result = run("steady", 300, seed=SEED, window_s=6.0)
    _check(result)
    assert result.figures["source_egress_ratio"] <= 5.1
    assert result.figures["control_percent"] <= 3.0


def test_each_scenario_says_what_happens() -> None:
    assert set(MAIN) < set(SCENARIOS)
    assert all(scenario.about for scenario in SCENARIOS.values())
