"""What a user installs: one wheel with the page in it, so that he needs no Node."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_page_the_command_and_nothing_foreign(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry,) = (name for name in names if name.endswith("entry_points.txt"))
        commands = archive.read(entry).decode()
    assert "headwater/web/static/index.html" in names
    assert any(name.startswith("headwater/web/static/assets/") for name in names)
    assert "headwater/py.typed" in names
    assert "headwater = headwater.cli.main:main" in commands
    assert {name.split("/")[0].split("-")[0] for name in names} == {"headwater"}
