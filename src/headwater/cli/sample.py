"""The commented settings file, written from the dataclasses: `python -m headwater.cli.sample`."""

import ast
import dataclasses
import inspect
import json
import textwrap
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headwater.cli.settings import DERIVED
from headwater.node.config import Config

__all__ = ["sample"]

HEAD = """\
# Headwater's settings: every one with its default. Take the # off a line to change it.
#
# Read from the file that --config names, else from the place that fits the system
# (Linux: ~/.config/headwater/headwater.toml). The environment wins over this file
# (HEADWATER_NAME, HEADWATER_LINK_MAX_PEERS), a flag of `headwater up` wins over both.
# Sizes and rates may be written as "500k", "20MB" or "1.5G", rates are bytes a second.
"""


def sample() -> str:
    """The file's text."""
    return "\n".join([HEAD, *_section(Config, "")])


def _section(section: Any, prefix: str) -> Iterator[str]:
    kinds, told = typing.get_type_hints(section), _docstrings(section)
    inner = []
    for field in dataclasses.fields(section):
        kind = kinds[field.name]
        if dataclasses.is_dataclass(kind):
            inner.append((field.name, kind))
        elif prefix + field.name not in DERIVED:
            yield from textwrap.wrap(
                told[field.name], 98, initial_indent="# ", subsequent_indent="# "
            )
            yield f"#{field.name} = {_value(field.default)}\n"
    for name, kind in inner:
        yield f"[{prefix}{name}]\n"
        yield from _section(kind, f"{prefix}{name}.")


def _docstrings(section: type) -> dict[str, str]:
    """What stands below each field in the source, in one line."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(body, ast.ClassDef)
    told = {}
    name = ""
    for statement in body.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and name:
            told[name] = " ".join(str(statement.value.value).split())
    return told


def _value(default: Any) -> str:
    """As TOML writes it; for text, numbers, truth and lists that is as JSON does."""
    return json.dumps(list(default) if isinstance(default, tuple) else default)


if __name__ == "__main__":
    Path("docs/headwater.toml").write_text(sample(), "utf-8")
