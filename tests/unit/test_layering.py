"""The tree is the architecture: who may import whom, read from the source."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import headwater

ROOT = Path(headwater.__file__).parent

PURE = (
    "headwater.wire",
    "headwater.overlay",
    "headwater.store.shape",
    "headwater.store.bitmap",
    "headwater.transfer.flights",
    "headwater.transfer.proof",
    "headwater.transfer.refusals",
    "headwater.transfer.schedule",
    "headwater.transfer.sources",
    "headwater.transfer.spans",
    "headwater.transfer.traffic",
    "headwater.catalog.ranks",
    "headwater.catalog.rate",
    "headwater.catalog.sync",
    "headwater.catalog.words",
    "headwater.link.liveness",
    "headwater.sim",
    "headwater.live.clock",
    "headwater.live.limits",
    "headwater.live.runs",
    "headwater.live.spare",
    "headwater.live.uplink",
    "headwater.web.gateway.ranges",
)
"""Cores: what leaves is data, what enters is data and `now`."""

IMPURE = {
    *("asyncio", "multiprocessing", "subprocess", "socket", "ssl", "selectors"),
    *("time", "datetime", "random", "secrets", "os", "pathlib", "shutil", "tempfile", "sqlite3"),
    *("iroh", "libtorrent", "av", "zeroconf", "httpx", "uvicorn", "fastapi", "starlette"),
}
INJECTED = {"random.Random"}
"""The type of a source of randomness that the caller hands in, seeded as he likes."""

PLAIN = (
    "headwater.errors",
    "headwater.node.config",
    "headwater.node.events",
    "headwater.node.activity",
)
"""Plain data at the bottom: everybody may know it."""

RANKS = (
    (5, ("headwater.cli", "headwater.lab", "headwater.__main__")),
    (4, ("headwater.web", "headwater.node.node")),
    (3, ("headwater.node",)),
    (2, ("headwater",)),
    (1, PURE),
    (0, ("headwater.wire", "headwater.cli.client", "headwater.cli.units", *PLAIN)),
)
"""The most exact name counts. node.node alone joins everything, the web included; cli.client and
cli.units know nothing of the rest and serve the lab as well."""


def _is_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _rank(module: str) -> int:
    found = [
        (len(name), rank)
        for rank, names in RANKS
        for name in names
        if module == name or module.startswith(f"{name}.")
    ]
    return max(found)[1]


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _modules() -> dict[str, set[str]]:
    """Every module of ours with what it imports, wherever in the file it does so."""
    paths = {_name(path): path for path in ROOT.rglob("*.py")}
    return {name: set(_imports(path, set(paths))) for name, path in paths.items()}


def _imports(path: Path, ours: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_outside = not node.module.startswith("headwater")
                yield inner if inner in ours or is_outside else node.module


def test_nothing_is_raised_inside_except_star() -> None:
    """Python before 3.11.4, which Debian 12 has, wraps it in a group that nobody catches."""
    breaches = {
        f"{path.relative_to(ROOT)}:{inner.lineno}"
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.TryStar)
        for handler in node.handlers
        for inner in ast.walk(handler)
        if isinstance(inner, ast.Raise)
    }
    assert not breaches


@pytest.mark.parametrize("package", PURE)
def test_every_core_that_is_held_pure_is_there(package: str) -> None:
    assert any(_is_in(module, (package,)) for module in _modules())


def test_the_cores_know_no_clock_no_chance_and_no_io() -> None:
    breaches = {
        f"{module} imports {imported}"
        for module, imports in _modules().items()
        if _is_in(module, PURE)
        for imported in imports - INJECTED
        if imported.split(".")[0] in IMPURE
    }
    assert not breaches


def test_the_cores_import_only_cores() -> None:
    breaches = {
        f"{module} imports {imported}"
        for module, imports in _modules().items()
        if _is_in(module, PURE)
        for imported in imports
        if imported.startswith("headwater.") and not _is_in(imported, (*PURE, "headwater.errors"))
    }
    assert not breaches


def test_imports_point_one_way() -> None:
    breaches = {
        f"{module} imports {imported}"
        for module, imports in _modules().items()
        for imported in imports
        if imported.startswith("headwater.") and _rank(imported) > _rank(module)
    }
    assert not breaches


def test_no_module_imports_itself_by_a_detour() -> None:
    modules = _modules()
    graph = {
        name: {each for each in imports if each in modules} for name, imports in modules.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules
