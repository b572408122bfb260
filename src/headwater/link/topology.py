"""Who may neighbour whom, and how far apart they are: a file for the lab, and for real machines
that shall form exactly one picture (rooms of a conference, a chain of relays)."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from headwater.errors import LocalUsageError

__all__ = ["Place", "Topology", "chain", "read_topology", "star", "tree", "write_topology"]

BYTES_PER_MBIT = 125_000
MAX_NODES = 10_000
CHILDREN = 2
"""Of each node of a tree."""


class Place(Struct, frozen=True, forbid_unknown_fields=True):
    """One node: `[node.NAME]` in the file."""

    neighbours: tuple[str, ...] = ()
    """Names; a link needs to be named on one side only."""
    uplink_mbit: float = 0.0
    """What it sends at most, megabits a second; 0: no limit."""
    delay_ms: float = 0.0
    """Added one way to what it sends."""
    loss_percent: float = 0.0
    """Of its packets, each of which then comes a round trip later."""

    @property
    def bytes_per_s(self) -> int:
        return int(self.uplink_mbit * BYTES_PER_MBIT)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    node: dict[str, Place]


@dataclass(frozen=True, slots=True)
class Topology:
    """The first node named is where a lab's live starts."""

    places: Mapping[str, Place]
    _links: Mapping[str, frozenset[str]] = field(init=False)

    def __post_init__(self) -> None:
        links: dict[str, set[str]] = {name: set() for name in self.places}
        for name, place in self.places.items():
            for other in place.neighbours:
                links[name].add(other)
                links[other].add(name)
        object.__setattr__(self, "_links", {name: frozenset(of) for name, of in links.items()})

    @property
    def names(self) -> list[str]:
        return list(self.places)

    def neighbours(self, name: str) -> frozenset[str]:
        """Names, whichever side of the link the file gives. Raises: KeyError."""
        return self._links[name]


def read_topology(file: Path) -> Topology:
    """Raises: LocalUsageError which names the file and what is wrong in it."""
    try:
        read = msgspec.convert(tomllib.loads(file.read_text("utf-8")), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise LocalUsageError(f"{file} is no topology: {error}") from error
    if not 1 <= len(read.node) <= MAX_NODES:
        raise LocalUsageError(f"{file} lists {len(read.node)} nodes: 1 to {MAX_NODES} may be")
    for name, place in read.node.items():
        for other in place.neighbours:
            if other not in read.node or other == name:
                raise LocalUsageError(f"{file}: {name} cannot neighbour {other!r}: no such other")
        if min(place.uplink_mbit, place.delay_ms, place.loss_percent) < 0:
            raise LocalUsageError(f"{file}: {name} has a value below 0")
        if place.loss_percent > 50:
            raise LocalUsageError(f"{file}: {name} loses more than half of its packets")
    return Topology(read.node)


def chain(names: list[str]) -> Topology:
    """Each knows the one before and the one after."""
    return _above(names, lambda number: number - 1)


def star(names: list[str]) -> Topology:
    """All know the first only."""
    return _above(names, lambda number: 0)


def tree(names: list[str]) -> Topology:
    """Each knows the one above and the CHILDREN below."""
    return _above(names, lambda number: (number - 1) // CHILDREN)


def _above(names: list[str], above: Callable[[int], int]) -> Topology:
    return Topology(
        {
            name: Place((names[above(number)],) if number else ())
            for number, name in enumerate(names)
        }
    )


def write_topology(topology: Topology, file: Path) -> None:
    """As read_topology() reads it."""
    lines: list[str] = []
    for name, place in topology.places.items():
        lines.append(f"[node.{json.dumps(name)}]")
        near = ", ".join(json.dumps(other) for other in place.neighbours)
        lines.append(f"neighbours = [{near}]")
        keys = ("uplink_mbit", "delay_ms", "loss_percent")
        lines += [f"{key} = {getattr(place, key)}" for key in keys]
    file.write_text("\n".join(lines) + "\n", "utf-8")
