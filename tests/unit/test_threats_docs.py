"""docs/threats.md names code that is there, and bounds that are in force."""

import importlib
import re
from functools import reduce
from pathlib import Path

import headwater

TEXT = (Path(__file__).parents[2] / "docs" / "threats.md").read_text("utf-8")
SOURCE = Path(headwater.__file__).parent


def test_the_files_that_it_names_are_there() -> None:
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", TEXT))
    assert named and not [name for name in named if not (SOURCE / name).is_file()]


def test_its_bounds_are_those_of_the_code() -> None:
    rows = re.findall(r"\| (\d+) \| `([a-z_.]+):([\w.]+)` \|", TEXT)
    assert len(rows) == TEXT.count("| `headwater.")
    for number, module, path in rows:
        holder: object = importlib.import_module(module)
        *way, last = path.split(".")
        holder = reduce(getattr, way, holder)
        found = getattr(holder, last)
        if not isinstance(found, int | float):  # a dataclass with slots keeps its default elsewhere
            fields = holder.__dict__["__dataclass_fields__"]
            found = fields[last].default
        assert found == int(number), path
