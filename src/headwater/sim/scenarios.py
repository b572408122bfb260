"""What can happen to an overlay, by name: `SCENARIOS`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from headwater.sim.hostile import BEHAVIOURS, turn
from headwater.sim.peer import Peer
from headwater.sim.population import NONE_BPS, Population
from headwater.sim.simulation import Plan, Simulation, below
from headwater.sim.stream import PART_S, Format

__all__ = ["MAIN", "SCENARIOS", "Scenario"]

CALM_S = 2.0
"""From the window's start until something happens."""
STAY_S = 120.0
"""Mean stay under churn."""
FLASH_PER_S = 100.0
CROWD = 1000
JOINS_S = 20.0
"""However many: all join within this time, or 100 a second."""

Script = Callable[[Simulation], None]
Change = Callable[[Plan], Plan]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`about`: a line for people. `change`: of the usual plan. `script`: called when the window
    starts, sets what is to happen."""

    name: str
    about: str
    script: Script = lambda simulation: None
    change: Change = lambda plan: plan

    def plan(
        self, nodes: int, seed: int, *, window_s: float | None = None, part_s: float = PART_S
    ) -> Plan:
        form, joins_per_s = Format(part_s=part_s), max(FLASH_PER_S, nodes / JOINS_S)
        usual = Plan(nodes, seed, joins_per_s=joins_per_s, form=form)
        plan = self.change(usual)
        return plan if window_s is None else replace(plan, window_s=window_s)


def _later(simulation: Simulation, after_s: float, act: Callable[[], None]) -> None:
    simulation.clock.at(simulation.plan.window_from_s + after_s, act)


def _kill(share: float, *, with_machine: bool = False) -> Script:
    def script(simulation: Simulation) -> None:
        def strike() -> None:
            victims = simulation.some(simulation.alive(), share)
            simulation.kill(victims, with_machine=with_machine)

        _later(simulation, CALM_S, strike)

    return script


def _churn(simulation: Simulation) -> None:
    """Each who goes is replaced; half of them go without a word, and of these half with their
    machine."""
    rng = simulation.rng

    def stay(peer: Peer) -> None:
        simulation.clock.at(simulation.clock.now + rng.expovariate(1 / STAY_S), go, peer)

    def go(peer: Peer) -> None:
        if rng.random() < 0.5:
            peer.kill(with_machine=rng.random() < 0.5)
        else:
            peer.leave()
        stay(simulation.join_one())

    def begin() -> None:
        for peer in simulation.alive():
            stay(peer)

    _later(simulation, 0.0, begin)


def _flash(simulation: Simulation) -> None:
    plan = simulation.plan
    simulation.join(min(plan.nodes, CROWD), FLASH_PER_S, plan.window_from_s)


def _flash_plan(plan: Plan) -> Plan:
    """Half of the nodes are there before, or all but CROWD."""
    crowd = min(plan.nodes // 2, CROWD)
    return replace(plan, nodes=plan.nodes - crowd, window_s=crowd / FLASH_PER_S + 8.0)


def _slow(simulation: Simulation) -> None:
    """Uplinks fall to a quarter, or processors take 0.4 s for a part; nobody is told."""

    def strike() -> None:
        relays = simulation.relays()
        thin, lame = simulation.some(relays, 0.1), simulation.some(relays, 0.05)
        for peer in thin:
            peer.uplink.rate /= 4
        for peer in lame:
            peer.lag_s = 0.4
        simulation.watch_gaps(below(simulation.alive(), {*thin, *lame}))

    _later(simulation, CALM_S, strike)


def _sleep(simulation: Simulation) -> None:
    sleepers: list[Peer] = []

    def strike() -> None:
        sleepers.extend(simulation.some(simulation.relays(), 0.1))
        for peer in sleepers:
            peer.sleep()
        awake = [peer for peer in simulation.alive() if peer.asleep is None]
        simulation.watch_gaps(below(awake, set(sleepers)))

    def wake() -> None:
        for peer in sleepers:
            peer.wake()

    _later(simulation, CALM_S, strike)
    _later(simulation, CALM_S + 8.0, wake)


def _hostile(*behaviours: str, share: float = 0.05) -> Script:
    def script(simulation: Simulation) -> None:
        def strike() -> None:
            chosen = simulation.some(simulation.relays(), share)
            for index, peer in enumerate(chosen):
                turn(simulation, peer, behaviours[index % len(behaviours)])
            simulation.watch_gaps(below(simulation.alive(), set(chosen)))

        _later(simulation, CALM_S, strike)

    return script


def _partition(simulation: Simulation) -> None:
    def strike() -> None:
        simulation.part(simulation.some(simulation.alive(), 0.5))

    _later(simulation, CALM_S, strike)
    _later(simulation, CALM_S + 8.0, simulation.merge)


def _relay(simulation: Simulation) -> None:
    def strike() -> None:
        first = simulation.viewers[0]
        hit = below(simulation.alive(), {first})
        simulation.watch_gaps([peer for peer in hit if peer is not first])
        first.leave()

    _later(simulation, CALM_S, strike)


def _restart(simulation: Simulation) -> None:
    def again() -> None:
        simulation.go_on_air()
        simulation.announce()

    _later(simulation, CALM_S, simulation.source.leave)
    _later(simulation, CALM_S + 2.0, again)


def _longer(seconds: float) -> Change:
    return lambda plan: replace(plan, window_s=seconds)


SCARCE = Population(((0.2, NONE_BPS), (0.4, 2e6), (0.2, 5e6), (0.2, 20e6)))
"""Ten slots for every nine that are needed, where it is usually twelve."""

_ALL = (
    Scenario("steady", "everybody joins and stays"),
    Scenario("kill10", "10 % of all are killed at once", _kill(0.1)),
    Scenario("kill30", "30 % of all are killed at once", _kill(0.3)),
    Scenario("dark30", "30 % of all lose power at once", _kill(0.3, with_machine=True)),
    Scenario("churn", "all stay 2 minutes in the mean, then others come", _churn, _longer(30.0)),
    Scenario("flash", "a crowd joins, 100 a second", _flash, _flash_plan),
    Scenario(
        "scarce",
        "hardly more uplink than is needed",
        change=lambda plan: replace(plan, population=SCARCE),
    ),
    Scenario("loss", "3 % of the packets are lost", change=lambda plan: replace(plan, loss=0.03)),
    Scenario("slow", "relays become slow, and do not die", _slow),
    Scenario("sleep", "10 % of the relays stop for 8 s, and go on", _sleep, _longer(18.0)),
    Scenario("hostile", "5 % of the relays turn hostile, in all ways", _hostile(*BEHAVIOURS)),
    Scenario("partition", "two halves do not reach each other for 8 s", _partition, _longer(26.0)),
    Scenario(
        "relay",
        "the only one that is not behind NAT leaves",
        _relay,
        lambda plan: replace(plan, population=Population(nat=1.0), opens_first=True),
    ),
    Scenario("restart", "the source ends and comes back 2 s later", _restart, _longer(20.0)),
)
MAIN = tuple(scenario.name for scenario in _ALL)
"""Those that `--all` runs; the others are single hostile behaviours."""

SCENARIOS = {scenario.name: scenario for scenario in _ALL} | {
    name: Scenario(name, f"5 % of the relays turn hostile: {name}", _hostile(name))
    for name in BEHAVIOURS
}
