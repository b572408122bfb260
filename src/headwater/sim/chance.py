"""All randomness of a simulation: independent streams of numbers, each from the one seed."""

from collections.abc import Iterator
from random import Random

__all__ = ["Random", "chance", "spread_evenly"]

STEPS = (0.7548776662466927, 0.5698402909980532)
"""Of the R2 sequence (M. Roberts, 2018): 1/p and 1/p², p³ = p + 1."""


def chance(seed: int, purpose: str) -> Random:
    """The same numbers in every process and on every machine; another purpose, other numbers: a
    change in how often one part of the simulation asks moves nothing in another."""
    return Random(f"headwater sim {seed} {purpose}")


def spread_evenly(rng: Random) -> Iterator[tuple[float, float]]:
    """Pairs below 1 without end, however many are taken nearly as many of them in each part of the
    square: so a mesh of forty has its share of strong nodes as one of ten thousand has."""
    x, y = rng.random(), rng.random()
    while True:
        yield x, y
        x, y = (x + STEPS[0]) % 1.0, (y + STEPS[1]) % 1.0
