"""All randomness of a simulation: independent streams of numbers, each from the one seed."""

from random import Random

__all__ = ["Random", "chance"]


def chance(seed: int, purpose: str) -> Random:
    """The same numbers in every process and on every machine; another purpose, other numbers: a
    change in how often one part of the simulation asks moves nothing in another."""
    return Random(f"headwater sim {seed} {purpose}")
