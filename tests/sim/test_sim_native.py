"""The overlay and the simulator as machine code: the same results to the last event."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import pytest

REPO = Path(__file__).parents[2]
MYPYC = Path(sys.executable).with_name("mypyc")
SIM = ["headwater", "sim", "--nodes", "40", "--seconds", "4", "--quiet"]
SCENARIOS = ["--scenario", "churn", "--scenario", "steady", "--scenario", "kill30"]
"""Several: each in a process of its own, the last two forked from one that began for both."""
LIMIT_S = 300.0


def _compile(target: Path) -> None:
    """Without optimization, which takes longest and changes no result."""
    command = ["sh", "tools/native.sh", str(MYPYC), str(target)]
    env = {**os.environ, "MYPYC_OPT_LEVEL": "0"}
    subprocess.run(command, cwd=REPO, env=env, check=True, timeout=LIMIT_S)


def _simulate(package: Path, result: Path) -> Any:
    command = [sys.executable, "-m", *SIM, *SCENARIOS, "--json", str(result)]
    env = {**os.environ, "PYTHONPATH": str(package)}
    subprocess.run(command, cwd=result.parent, env=env, check=True, timeout=LIMIT_S)
    return json.loads(result.read_text())


@pytest.mark.timeout(LIMIT_S)
def test_compiled_it_gives_the_same_results(tmp_path: Path) -> None:
    native = tmp_path / "native"
    _compile(native)
    compiled = list(native.glob("headwater/overlay/*.so")) + list(native.glob("headwater/sim/*.so"))
    assert bool(compiled) == bool(which("cc") or which("gcc"))
    plain = _simulate(REPO / "src", tmp_path / "plain.json")
    assert _simulate(native, tmp_path / "native.json") == plain
