"""The overlay of 10,000 simulated viewers: delay, waste, kills, churn (`--nodes` for fewer)."""

import asyncio
import sys

from bench.report import Options, Report, Targets
from headwater.cli.simulations import run_all
from headwater.sim import Result

TARGETS: Targets = {
    "fed_ratio": (">=", 1.0),
    "source_egress_ratio": ("<=", 5.0),
    "delay_p50_s": ("<=", 0.35),
    "delay_p95_s": ("<=", 0.6),
    "duplicate_percent": ("<=", 3.0),
    "control_percent": ("<=", 3.0),
    "kill30_gap_p95_s": ("<=", 0.6),
    "churn_continuity_percent": (">=", 99.8),
}
NODES = 10_000
PART_S = 0.033
"""Of a part (`headwater live --part-ms 33`, a frame each): a node passes a part on when it has all
of it, so that with thousands of viewers, eight nodes deep, the delay is what a part takes, eight
times over."""
STEADY = tuple(name for name in TARGETS if not name.startswith(("kill", "churn")))
SCENARIOS = ("churn", "steady", "kill30", "kill10")
"""The longest first: they run two at a time."""


async def measure(report: Report, options: Options) -> None:
    """`--part NAME` for one scenario; each runs once, for the same seed gives the same result."""
    nodes = options.nodes or NODES
    names = [name for name in SCENARIOS if options.wants(name)]
    report.note(
        f"{nodes} nodes, parts of {1e3 * PART_S:.0f} ms, seed 1, by the virtual clock; "
        "sizes are those of real messages"
    )

    def ended(result: Result) -> None:
        """Told at once: the longest takes half an hour more."""
        print(_line(result), file=sys.stderr, flush=True)
        report.note(_line(result))
        _fill(report, result)

    await asyncio.to_thread(run_all, names, nodes, part_s=PART_S, ended=ended)


def _fill(report: Report, result: Result) -> None:
    figures = result.figures
    if result.scenario == "steady":
        for name in STEADY:
            report.figure(name, figures[name], compared_with="a steady overlay")
    elif result.scenario == "kill30":
        report.figure("kill30_gap_p95_s", figures["gap_p95_s"], compared_with="30 % killed")
    elif result.scenario == "churn":
        value = figures["continuity_percent"]
        report.figure("churn_continuity_percent", value, compared_with="2 minutes' mean stay")


def _line(result: Result) -> str:
    figures = result.figures
    return (
        f"{result.scenario}: fed {figures['fed_ratio']:.4f}, "
        f"delay p50 {figures['delay_p50_s']:.2f} p95 {figures['delay_p95_s']:.2f} s, "
        f"gap p50 {figures['gap_p50_s']:.2f} p95 {figures['gap_p95_s']:.2f} s, "
        f"duplicates {figures['duplicate_percent']:.1f} %, pulls {figures['pull_percent']:.1f} %, "
        f"continuity {figures['continuity_percent']:.2f} %, "
        f"first part p50 {figures['join_p50_s']:.2f} p95 {figures['join_p95_s']:.2f} s"
    )
