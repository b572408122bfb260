"""`python -m bench` lists the benchmarks; `python -m bench NAME --json FILE` runs one."""

import argparse
import asyncio
import importlib
import json
import os
import pkgutil
import sys
import traceback
from pathlib import Path
from types import ModuleType

from rich.console import Console

import bench
from bench.report import Options, Report

LIMIT_S = 45 * 60
"""No benchmark takes longer, whatever hangs."""
PLAIN_WIDTH = 140
"""Of a table in a file or a pipe."""


def benchmarks() -> dict[str, ModuleType]:
    """The modules here that have TARGETS and `async def measure(report, options)`."""
    names = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    modules = {
        name: importlib.import_module(f"bench.{name}") for name in names if name != "__main__"
    }
    return {name: each for name, each in modules.items() if hasattr(each, "measure")}


def main() -> int:
    # nodes start from their byte code, as every installed node does
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    known = benchmarks()
    arguments = _arguments(sorted(known))
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    if arguments.name is None:
        for name, module in known.items():
            first = (module.__doc__ or "").strip().splitlines()[0]
            console.print(f"{name:14} {first}", markup=False, highlight=False, soft_wrap=True)
        return 0
    options = Options(arguments.runs, tuple(arguments.part), arguments.nodes)
    return _run(known[arguments.name], arguments.name, options, arguments.json, console)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=names, help="without it: a list of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--runs", type=_positive, metavar="N", help="at most N of each: a quick look"
    )
    parser.add_argument(
        "--nodes", type=_positive, metavar="N", help="so many nodes where they are simulated"
    )
    parser.add_argument(
        "--part", action="append", default=[], help="only this part of it; may be repeated"
    )
    return parser.parse_args()


def _run(
    module: ModuleType, name: str, options: Options, file: Path | None, console: Console
) -> int:
    report = Report(name, module.TARGETS)

    async def bounded() -> None:
        async with asyncio.timeout(LIMIT_S):
            await module.measure(report, options)

    code = 0
    try:
        asyncio.run(bounded())
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # the last boundary: what was found before it is still told
        traceback.print_exception(error)
        report.note(f"it ended early: {error!r:.300}")
        code = 1
    report.print(console)
    if file is not None:
        file.write_text(json.dumps(report.json(), indent=2) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
