"""Pictures of a mesh from a file, or made."""

from pathlib import Path

import pytest

from headwater.errors import LocalUsageError
from headwater.link.topology import chain, read_topology, star, tree, write_topology


def test_a_file_names_links_on_one_side_only(tmp_path: Path) -> None:
    file = tmp_path / "rooms.toml"
    file.write_text(
        '[node.hall]\nuplink_mbit = 20\n[node."room 1"]\nneighbours = ["hall"]\n'
        'delay_ms = 40\nloss_percent = 1.5\n[node.attic]\nneighbours = ["room 1"]\n'
    )
    topology = read_topology(file)
    assert topology.names == ["hall", "room 1", "attic"]
    assert topology.neighbours("room 1") == {"hall", "attic"}
    assert topology.neighbours("hall") == {"room 1"}
    assert topology.places["hall"].bytes_per_s == 2_500_000
    assert topology.places["room 1"].delay_ms == 40


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "missing"),
        ("[node]", "0 nodes"),
        ("[node.a]\nneighbours = ['b']", "'b'"),
        ("[node.a]\nneighbours = ['a']", "'a'"),
        ("[node.a]\ndelay = 4", "delay"),
        ("[node.a]\ndelay_ms = -1", "below 0"),
        ("[node.a]\nloss_percent = 51", "half"),
        ("[node.a", "no topology"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_name(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "odd.toml"
    file.write_text(text)
    with pytest.raises(LocalUsageError, match=told) as error:
        read_topology(file)
    assert str(file) in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalUsageError, match="not there"):
        read_topology(tmp_path / "not there")


def test_made_pictures() -> None:
    names = list("abcdefg")
    assert chain(names).neighbours("c") == {"b", "d"}
    assert star(names).neighbours("a") == set("bcdefg")
    assert star(names).neighbours("c") == {"a"}
    assert tree(names).neighbours("b") == {"a", "d", "e"}


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "chain.toml"
    for topology in (chain(["a b", 'c"d', "é"]), star(["x", "y"]), tree(list("abcde"))):
        write_topology(topology, file)
        assert read_topology(file) == topology
