"""Byte ranges of RFC 9110, section 14: what a request for part of a file gets. Pure."""

import re
from dataclasses import dataclass

__all__ = ["Part", "Plan", "Unsatisfiable", "Whole", "plan"]

MAX_DIGITS = 18
"""A file has at most 2**50 bytes; a longer number is nobody's position."""

_SPEC = re.compile(r"(\d*)-(\d*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Whole:
    """200 and all of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """206 and bytes [start, end)."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """416: the ranges are well formed, but none of them lies in the file."""


Plan = Whole | Part | Unsatisfiable


def plan(range_header: str | None, size_bytes: int, *, if_range: str | None, etag: str) -> Plan:
    """What to answer a GET with these headers; `etag` is the file's strong tag, in quotes.

    A malformed Range and a unit other than bytes are ignored, as the RFC asks. Several ranges get
    the whole file (it allows that), unless only one of them can be satisfied: no player asks for
    more than one, and a list of thousands is a known attack.
    """
    if range_header is None or (if_range is not None and if_range.strip() != etag):
        return Whole()
    specs = _parse(range_header)
    if specs is None:
        return Whole()
    parts = [part for spec in specs if (part := _resolve(spec, size_bytes)) is not None]
    if not parts:
        return Unsatisfiable()
    return parts[0] if len(parts) == 1 else Whole()


def _parse(header: str) -> list[tuple[int | None, int | None]] | None:
    """(first, last) of each spec, (None, n) for the last n bytes; None when any is malformed."""
    unit, equals, rest = header.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    specs: list[tuple[int | None, int | None]] = []
    for text in rest.split(","):
        if not (text := text.strip(" \t")):
            continue  # a list may hold empty elements (RFC 9110, section 5.6.1)
        match = _SPEC.fullmatch(text)
        if match is None or any(len(digits) > MAX_DIGITS for digits in match.groups()):
            return None
        first, last = (int(digits) if digits else None for digits in match.groups())
        if (first is None and last is None) or (
            first is not None and last is not None and last < first
        ):
            return None
        specs.append((first, last))
    return specs or None


def _resolve(spec: tuple[int | None, int | None], size_bytes: int) -> Part | None:
    first, last = spec
    if first is None:
        assert last is not None
        start, end = max(0, size_bytes - last), size_bytes
    else:
        start, end = first, size_bytes if last is None else min(last + 1, size_bytes)
    return Part(start, end) if start < end else None
