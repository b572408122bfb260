"""Time inside one segment: its stretch of the file's timeline, and ticks of a track. Pure."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from av.packet import Packet

__all__ = ["VIDEO_SCALE", "AnyPacket", "Span", "ticks"]

VIDEO_SCALE = 90_000
"""Ticks a second of every video track that we write."""


AnyPacket: TypeAlias = "Packet[Any]"


@dataclass(frozen=True, slots=True)
class Span:
    """One segment. Units: seconds of the file's timeline; `origin` is where the playlist begins.

    `first_mark`, `last_mark`: the index's times of the keyframes that begin this segment and the
    next, in ticks of the stream; None where there is no next.
    """

    start: Fraction
    end: Fraction
    origin: Fraction
    is_first: bool
    is_last: bool
    first_mark: int = 0
    last_mark: int | None = None


def ticks(seconds: Fraction, scale: int) -> int:
    return round(seconds * scale)
