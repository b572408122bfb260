"""Names for files that come from elsewhere: safe, and taken by nobody else. Pure."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import PurePath

from headwater.errors import LocalUsageError

__all__ = ["free_name", "safe_name"]

MAX_BYTES = 240
"""File systems take 255; a number and an ending need room."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_ODD = frozenset('<>:"|?*')
"""What one file system or another refuses."""


def safe_name(name: str) -> str:
    """The name as any file system takes it. Raises: LocalUsageError when nothing of it is left."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    clean = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp"))
    clean = "".join("_" if c in _ODD else c for c in clean).strip(" ").rstrip(".").lstrip(".")
    if _RESERVED.fullmatch(clean):
        clean = f"_{clean}"
    clean = _shortened(clean)
    if not clean.strip(" ._"):
        raise LocalUsageError(
            f"{name[:80]!r} is no name for a file: rename it, then upload it again"
        )
    return clean


def free_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """The name, with a number where it is taken: `holiday.mp4`, `holiday (2).mp4`, ..."""
    if not is_taken(name):
        return name
    path = PurePath(name)
    number = 2
    while is_taken(numbered := f"{path.stem} ({number}){path.suffix}"):
        number += 1
    return numbered


def _shortened(name: str) -> str:
    path = PurePath(name)
    suffix = path.suffix if len(path.suffix.encode()) <= 16 else ""
    stem = name.removesuffix(suffix)
    while len(stem.encode()) + len(suffix.encode()) > MAX_BYTES:
        stem = stem[:-1]
    return stem + suffix
