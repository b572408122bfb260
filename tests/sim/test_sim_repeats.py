"""The same seed gives the same result, bit for bit, in whichever process."""

import os
import subprocess
import sys
from pathlib import Path

import headwater
from headwater.sim import run

PROGRAM = """
from dataclasses import asdict
from headwater.sim import run
print(asdict(run("churn", 30, seed=7, window_s=8.0)))
"""


def _run(hash_seed: str) -> str:
    root = str(Path(headwater.__file__).parent.parent)
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_processes_that_hash_differently_agree() -> None:
    assert _run("1") == _run("2")


def test_another_seed_is_another_mesh() -> None:
    one, two = (run("steady", 10, seed=seed, window_s=2.0) for seed in (1, 2))
    assert one.delay != two.delay
