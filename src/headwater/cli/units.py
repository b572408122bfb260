"""Sizes, rates and times in the words that people use, both ways."""

import re

__all__ = ["ago", "duration", "parse_size", "rate", "size"]

_STEPS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_NAMES = ("bytes", "kB", "MB", "GB", "TB")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?(?:/S)?", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """Bytes: `500k`, `20MB`, `1.5G` by 1000, `20MiB` by 1024. Raises: ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size: write it as 500k, 20MB or 1.5G")
    number, step, binary = match.groups()
    return round(float(number) * (_BINARY if binary else _STEPS)[step.upper()])


def size(size_bytes: float) -> str:
    """`1.3 GB`, three digits at most."""
    step = 0
    while size_bytes >= 999.5 and step < len(_NAMES) - 1:
        size_bytes, step = size_bytes / 1000, step + 1
    digits = 0 if step == 0 or size_bytes >= 9.95 else 1
    return f"{size_bytes:.{digits}f} {_NAMES[step]}"


def rate(bytes_per_s: float) -> str:
    return f"{size(bytes_per_s)}/s" if bytes_per_s >= 1 else "-"


def duration(seconds: float) -> str:
    """`0:07`, `12:05`, `1:02:33`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(seconds: float) -> str:
    """The one unit that says most: `3 s`, `12 min`, `5 h`, `2 days`."""
    for limit, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit_s:.0f} {unit}"
    return f"{seconds // 86400:.0f} days"
