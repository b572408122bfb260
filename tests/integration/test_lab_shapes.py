"""Labs in a shape: linked as was asked for; what cannot be is told in a line."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from headwater.cli.main import run
from headwater.lab.cluster import Cluster
from headwater.lab.lab import Plan
from headwater.lab.nursery import Nursery
from headwater.lab.people import People

pytestmark = pytest.mark.timeout(60)

SQUARE = """
[node.anna]
neighbours = ["ben", "dora"]
[node.ben]
[node.carla]
neighbours = ["ben", "dora"]
delay_ms = 5.0
[node.dora]
uplink_mbit = 50.0
"""
SHAPES = {
    "chain": ["12", "23", "34"],
    "star": ["12", "13", "14"],
    "tree": ["12", "13", "24"],
    "auto": ["12", "13", "14", "23", "24", "34"],
}


async def pairs(people: People) -> set[frozenset[str]]:
    """Who is linked with whom, as all of them tell it."""

    async def told(name: str) -> Iterable[frozenset[str]]:
        peers = (await asyncio.to_thread(people.nodes[name].api.get, "/api/v1/peers"))["peers"]
        return [frozenset((name, peer["name"])) for peer in peers if peer["connected"]]

    return {pair for pairs in [await told(name) for name in people.names] for pair in pairs}


def formed(nursery: Nursery | None, plan: Plan, wanted: set[frozenset[str]]) -> None:
    """A lab of that plan is linked so, and never otherwise."""

    async def _run() -> None:
        async with Cluster(is_faulty=True, nursery=nursery) as cluster:
            topology = plan.read()
            people = People(cluster, topology.names if topology else plan.names(), None, topology)
            await people.start_all()
            async with asyncio.timeout(30):
                while (seen := await pairs(people)) != wanted:
                    assert seen <= wanted
                    await asyncio.sleep(0.1)

    asyncio.run(_run())


@pytest.mark.parametrize("shape", ["chain", "star", "tree", "auto"])
def test_four_nodes_stand_as_the_shape_has_them(nursery: Nursery | None, shape: str) -> None:
    wanted = {frozenset(f"node-{digit}" for digit in pair) for pair in SHAPES[shape]}
    formed(nursery, Plan(nodes=4, topology=shape), wanted)


def test_four_nodes_stand_as_a_file_has_them(nursery: Nursery | None, tmp_path: Path) -> None:
    file = tmp_path / "square.toml"
    file.write_text(SQUARE)
    sides = [("anna", "ben"), ("ben", "carla"), ("carla", "dora"), ("dora", "anna")]
    formed(nursery, Plan(topology=str(file)), {frozenset(side) for side in sides})


BAD_FILES = {
    "no toml": ("[node", "is no topology"),
    "no node": ("[node]", "lists 0 nodes"),
    "nobody": ('[node.anna]\nneighbours = ["ben"]', "'ben'"),
    "itself": ('[node.anna]\nneighbours = ["anna"]', "'anna'"),
    "unknown key": ("[node.anna]\ncolour = 'red'", "colour"),
    "below zero": ("[node.anna]\ndelay_ms = -1.0", "below 0"),
    "all lost": ("[node.anna]\nloss_percent = 80.0", "half of its packets"),
    "too many": ("\n".join(f"[node.n{n}]" for n in range(51)), "not 51"),
}


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that `headwater lab WORDS` says before anything begins."""
    code = run(["lab", "--no-browser", "--json", *words])
    told = capsys.readouterr()
    assert (code in (2, 3), told.out) == (True, ""), told
    lines = told.err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text, why = BAD_FILES[name]
    file = tmp_path / "bad.toml"
    file.write_text(text)
    told = refused(capsys, "--topology", str(file))
    assert why in told
    assert "bad.toml" in told or name == "too many"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--nodes", "51"], "1 to 50 nodes"),
        (["--nodes", "0"], "1 to 50 nodes"),
        (["--slow", "node-9"], "node-9"),
        (["--topology", "ring"], "ring"),
        (["--live", "nowhere.mp4"], "nowhere.mp4"),
        (["--folder", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert why in refused(capsys, *words)
