"""What every command shares: its common options, how it answers, the node it talks to."""

import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from headwater.cli.client import Api

__all__ = ["Session", "command", "default_state"]

State = Annotated[
    Path | None,
    typer.Option(
        help="The node's state folder, where it is not the usual one.", envvar="HEADWATER_STATE"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Only errors, and bare names where a list is asked for."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error came from.")]

_COMMON: Mapping[str, tuple[Any, object]] = {
    "state": (State, None),
    "as_json": (Json, False),
    "quiet": (Quiet, False),
    "debug": (Debug, False),
}


def default_state() -> Path:
    import platformdirs

    return platformdirs.user_data_path("headwater", appauthor=False)


@dataclass(frozen=True, slots=True)
class Session:
    """How one command was called."""

    state: Path
    as_json: bool = False
    quiet: bool = False
    debug: bool = False

    def api(self) -> Api:
        """The running node. Raises: Unavailable when none runs with this state."""
        return Api.of_state(self.state)

    @property
    def is_interactive(self) -> bool:
        """A person sits in front of it and can be asked."""
        return not (self.as_json or self.quiet) and sys.stdin.isatty() and sys.stdout.isatty()

    def say(self, text: str) -> None:
        """A sentence for a person."""
        if not (self.as_json or self.quiet):
            print(text, flush=True)

    def answer(self, value: object) -> None:
        """The same for a program: one line of JSON."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A title that starts with `>` aligns its column right. --quiet: the first column, bare."""
        if self.as_json:
            return
        if self.quiet:
            for row in rows:
                print(row[0])
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in columns:
            table.add_column(
                title.removeprefix(">"),
                justify="right" if title.startswith(">") else "left",
                no_wrap=True,
            )
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = 4096  # nothing is cut off in a file or a pipe
        console.print(table)


def command(function: Callable[..., object]) -> Callable[..., object]:
    """The function as a command: its `session` is made of the options that all commands share,
    but for those that it has itself."""
    own = inspect.signature(function, eval_str=True)
    parameters = [p for name, p in own.parameters.items() if name != "session"]
    shared = {name: each for name, each in _COMMON.items() if name not in own.parameters}
    parameters += [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
        )
        for name, (annotation, default) in shared.items()
    ]

    @functools.wraps(function)
    def run(**arguments: Any) -> object:
        common = {name: arguments.pop(name) for name in shared}
        state = Path(os.path.abspath(common.pop("state") or default_state()))
        return function(Session(state=state, **common), **arguments)

    run.__dict__["__signature__"] = own.replace(parameters=parameters)
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run
