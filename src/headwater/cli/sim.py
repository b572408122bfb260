"""`headwater sim`: the overlay that nodes run, thousands of times on a virtual clock."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.jobs import bar
from headwater.cli.session import Session
from headwater.errors import LocalUsageError

if TYPE_CHECKING:
    from headwater.sim import Result

__all__ = ["sim"]

COLUMNS = (
    ("fed %", "fed_ratio", 100, 1),
    ("egress x", "source_egress_ratio", 1, 2),
    ("delay p50", "delay_p50_s", 1, 2),
    ("p95 s", "delay_p95_s", 1, 2),
    ("dup %", "duplicate_percent", 1, 1),
    ("pull %", "pull_percent", 1, 1),
    ("ctrl %", "control_percent", 1, 1),
    ("gap p50", "gap_p50_s", 1, 2),
    ("p95", "gap_p95_s", 1, 2),
    ("max s", "gap_max_s", 1, 1),
    ("cont. %", "continuity_percent", 1, 2),
    ("join p50", "join_p50_s", 1, 2),
    ("p95 s", "join_p95_s", 1, 2),
    ("re-par/min", "reparents_per_minute", 1, 1),
    ("depth", "depth_mean", 1, 1),
    ("stalls", "stalls", 1, 0),
)
"""Title, figure, factor, digits."""


def sim(
    session: Session,
    nodes: Annotated[int, typer.Option(min=1, max=100_000, help="How many viewers.")] = 300,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="What happens to them (steady); may be repeated. `list` lists them."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same result.")] = 1,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="How long is measured, by the virtual clock.")
    ] = None,
    part_ms: Annotated[
        int, typer.Option(min=20, max=1000, help="How long a part is, as in `headwater live`.")
    ] = 100,
    every: Annotated[bool, typer.Option("--all", help="All scenarios, two at a time.")] = False,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results there.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the results there.")
    ] = None,
) -> None:
    """Try the overlay out on thousands of simulated nodes."""
    import json
    from dataclasses import asdict

    from headwater.sim import MAIN, SCENARIOS
    from headwater.sim.plot import plot

    if scenario == ["list"]:
        session.table(("scenario", "what happens"), [(s.name, s.about) for s in SCENARIOS.values()])
        return
    names = list(MAIN) if every else scenario or ["steady"]
    for name in names:
        if name not in SCENARIOS:
            raise LocalUsageError(f"there is no scenario {name}: `--scenario list` lists them")
    results = _run(session, names, nodes, seed, seconds, part_ms / 1000)
    _tell(session, results)
    if as_json is not None:
        as_json.write_text(json.dumps([asdict(each) for each in results], indent=1) + "\n", "utf-8")
    if svg is not None:
        svg.write_text(plot(results), "utf-8")


def _run(
    session: Session,
    names: Sequence[str],
    nodes: int,
    seed: int,
    seconds: float | None,
    part_s: float,
) -> "list[Result]":
    from headwater.cli.simulations import run_all

    def ended(result: "Result") -> None:
        if len(names) > 1:
            session.say(f"{result.scenario}: {result.figures['continuity_percent']:.2f} % shown")

    with bar(session, f"Simulating {nodes} nodes") as report:
        return run_all(
            names,
            nodes,
            seed=seed,
            window_s=seconds,
            part_s=part_s,
            ended=ended,
            progress=lambda now, end: report(round(now), round(end)),
        )


def _tell(session: Session, results: "Sequence[Result]") -> None:
    rows = [
        (
            each.scenario,
            *(f"{each.figures[name] * by:.{digits}f}" for _, name, by, digits in COLUMNS),
        )
        for each in results
    ]
    session.table(("scenario", *(f">{title}" for title, *_ in COLUMNS)), rows)
