"""The `headwater` command: its sub-commands, and how whatever goes wrong reaches the person."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from headwater import __version__
from headwater.cli import (
    get,
    lab,
    live,
    ls,
    peers,
    relay,
    search,
    share,
    sim,
    status,
    unshare,
    up,
    watch,
)
from headwater.cli.session import command
from headwater.errors import NodeError

__all__ = ["app", "main", "run"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""

EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 in use or in conflict, "
    "5 not allowed, 6 nobody reachable or no node running, 7 disk full, 8 file changed since it "
    "was shared, 9 not a video, 10 another node misbehaved, 130 interrupted."
)

app = typer.Typer(
    name="headwater",
    help="Share a folder of videos; everyone in the mesh plays them at once.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help answers three times as fast
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"headwater {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for _name, _function in (
    ("up", up.up),
    ("share", share.share),
    ("ls", ls.ls),
    ("search", search.search),
    ("live", live.live),
    ("relay", relay.relay),
    ("watch", watch.watch),
    ("get", get.get),
    ("peers", peers.peers),
    ("status", status.status),
    ("unshare", unshare.unshare),
    ("lab", lab.lab),
    ("sim", sim.sim),
):
    app.command(_name)(command(_function))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; its exit code. What goes wrong takes a line on stderr."""
    debug = "--debug" in arguments
    try:
        code = app(list(arguments), prog_name="headwater", standalone_mode=False)
        sys.stdout.flush()  # at the interpreter's end a closed pipe could not be told any more
    except typer.Exit as exit_:
        return exit_.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has gone (`headwater ls | head`): nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except typer.TyperException as error:
        return _fail(error.format_message().rstrip(".") + "; see --help", error.exit_code, debug)
    except NodeError as error:
        return _fail(str(error), error.exit_code, debug)
    except Exception as error:  # the last boundary: a bug is told in one line as well
        told = f"an error that we did not foresee: {error!r}; again with --debug it shows where"
        return _fail(told, NodeError.exit_code, debug)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    for line in message.splitlines():
        print(f"headwater: {line}", file=sys.stderr)
    return code


def main() -> None:
    sys.exit(run(sys.argv[1:]))
