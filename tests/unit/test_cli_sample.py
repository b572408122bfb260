"""docs/headwater.toml is the configuration's dataclasses, told to people."""

import re
from pathlib import Path

from headwater.cli.sample import sample
from headwater.cli.settings import load, settings
from headwater.node.config import Config

DOCS = Path(__file__).parents[2] / "docs"


def test_the_sample_in_the_docs_is_the_one_that_the_code_makes() -> None:
    written = (DOCS / "headwater.toml").read_text("utf-8")
    assert written == sample(), "make it anew: python -m headwater.cli.sample"


def test_the_sample_with_every_line_taken_in_is_the_defaults(tmp_path: Path) -> None:
    lines = re.sub(r"^#(?=[a-z_]+ = )", "", sample(), flags=re.MULTILINE)
    file = tmp_path / "headwater.toml"
    file.write_text(lines, "utf-8")
    config = load(state=tmp_path, file=file, environment={}, flags={"web.http": ("--http", None)})
    default = Config(state=tmp_path)
    assert config.link == default.link
    assert (config.discovery, config.limits, config.store) == (
        default.discovery,
        default.limits,
        default.store,
    )
    assert len(re.findall(r"^[a-z_]+ = ", lines, re.MULTILINE)) == len(list(settings()))
