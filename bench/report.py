"""What a benchmark found: figures against their targets, as a table for people and as JSON."""

import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

__all__ = ["Op", "Options", "Report", "Targets", "machine", "percentile"]

Op = Literal["<=", ">="]
Targets = Mapping[str, tuple[Op, float]]


@dataclass(frozen=True, slots=True)
class Options:
    """How much to measure. `runs`, `nodes`: None for as many as the figures are defined with."""

    runs: int | None = None
    parts: tuple[str, ...] = ()
    nodes: int | None = None

    def count(self, usual: int) -> int:
        """The number of repetitions, where `usual` is that of the definition."""
        return usual if self.runs is None else min(usual, self.runs)

    def wants(self, part: str) -> bool:
        return not self.parts or part in self.parts


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of them (0 to 1) do not exceed: nearest rank."""
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]


@dataclass(frozen=True, slots=True)
class _Figure:
    name: str
    value: float
    samples: tuple[float, ...]
    compared_with: str


class Report:
    """Filled while a benchmark runs, so that what was found outlives a part that fails."""

    def __init__(self, name: str, targets: Targets) -> None:
        self.name, self.targets = name, targets
        self._figures: dict[str, _Figure] = {}
        self._beside: list[_Figure] = []
        self._notes: list[str] = []

    def figure(
        self, name: str, value: float, samples: Sequence[float] = (), compared_with: str = ""
    ) -> None:
        """One of the result's figures; its unit is in its name. `samples`: what it comes from."""
        self._figures[name] = _Figure(name, value, tuple(samples), compared_with)

    def beside(self, name: str, samples: Sequence[float]) -> None:
        """Samples that explain a figure; in the table only."""
        if samples:
            self._beside.append(_Figure(name, statistics.median(samples), tuple(samples), ""))

    def note(self, text: str) -> None:
        """A sentence below the table."""
        self._notes.append(text)

    def json(self) -> dict[str, object]:
        """Shape: {"name", "machine", "figures": {name: number}, "targets": {name: [op, number]}}"""
        return {
            "name": self.name,
            "machine": machine(),
            "figures": {name: round(each.value, 4) for name, each in self._figures.items()},
            "targets": {name: [op, number] for name, (op, number) in self.targets.items()},
        }

    def print(self, console: Console) -> None:
        table = Table(title=f"{self.name} on {machine()}", title_justify="left")
        table.add_column("figure")
        for title in ("value", "target", "", "runs", "median", "p5", "p95"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("compared with")
        for each in (*self._figures.values(), *self._beside):
            target = self.targets.get(each.name)
            verdict = "" if target is None else _verdict(each.value, *target)
            told = "" if target is None else f"{target[0]} {target[1]:g}"
            is_figure = each.name in self._figures
            table.add_row(
                each.name if is_figure else f"  {each.name}",
                f"{each.value:.4g}" if is_figure else "",
                told,
                verdict,
                *_spread(each.samples),
                each.compared_with,
            )
        console.print(table)
        for missing in (name for name in self.targets if name not in self._figures):
            console.print(f"not measured: {missing}", markup=False)
        for note in self._notes:
            console.print(note, markup=False, highlight=False)


def _verdict(value: float, op: Op, number: float) -> str:
    is_met = value <= number if op == "<=" else value >= number
    return "[green]met[/]" if is_met else "[red]missed[/]"


def _spread(samples: Sequence[float]) -> tuple[str, str, str, str]:
    if not samples:
        return ("", "", "", "")
    shown = (statistics.median(samples), percentile(samples, 0.05), percentile(samples, 0.95))
    median, low, high = (f"{value:.4g}" for value in shown)
    return (str(len(samples)), median, low, high)


def machine() -> str:
    """This machine in a line: system, processor, cores, memory, Python."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{platform.system()} {platform.release()}, {_processor()}, {os.cpu_count()} cores, "
        f"{memory_gb:.0f} GB, Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
