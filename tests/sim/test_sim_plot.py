"""Results as tables and drawings."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from headwater.cli.main import run as headwater
from headwater.cli.simulations import run_all
from headwater.sim import Result
from headwater.sim.plot import COLOURS, plot

CURVE = [(0.0, 0.0), (0.4, 0.5), (1.3, 1.0)]


def _result(name: str = "steady") -> Result:
    return Result(name, 300, 1, {}, CURVE, [], [(20.0, 1.0), (21.0, 0.9)])


def test_a_drawing_is_well_formed_and_names_each_scenario() -> None:
    drawn = plot([_result(f"<{index}>") for index in range(len(COLOURS) + 1)])
    root = ElementTree.fromstring(drawn)
    told = "".join(root.itertext())
    assert all(f"<{index}>" in told for index in range(len(COLOURS) + 1))
    assert "nothing happened" in told  # no gap was measured
    assert "stroke-dasharray" in drawn


def test_no_results_are_no_error() -> None:
    ElementTree.fromstring(plot([]))


def test_the_command_writes_table_json_and_drawing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, drawing = tmp_path / "r.json", tmp_path / "r.svg"
    arguments = ["sim", "--nodes", "5", "--seconds", "2", "--json", str(figures)]
    assert headwater([*arguments, "--svg", str(drawing)]) == 0
    (told,) = json.loads(figures.read_text("utf-8"))
    assert told["scenario"] == "steady"
    assert told["figures"]["fed_ratio"] >= 0.0
    ElementTree.parse(drawing)
    assert "steady" in capsys.readouterr().out


def test_scenarios_are_listed_and_an_unknown_one_is_an_error_of_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert headwater(["sim", "--scenario", "list"]) == 0
    assert "kill30" in capsys.readouterr().out
    assert headwater(["sim", "--scenario", "nothing"]) == 2
    assert "there is no scenario nothing" in capsys.readouterr().err


def test_several_run_in_processes_of_their_own_with_the_same_result() -> None:
    names = ("kill10", "steady")
    together = run_all(names, 5, window_s=2.0)
    assert together == [run_all([name], 5, window_s=2.0)[0] for name in names]
