"""What lies in a folder and may be shared; what may not, in plain words."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from headwater.errors import RemoteProtocolError
from headwater.store.manifest import Stamp
from headwater.store.torrent import check_file_name

__all__ = [
    "SUBTITLE_SUFFIXES",
    "Scan",
    "is_below_hidden",
    "is_passed_over",
    "look",
    "scan",
    "shown",
]

MAX_FILES = 200_000
MAX_DEPTH = 64

SUBTITLE_SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", "~")
_CLUTTER = frozenset({"thumbs.db", "desktop.ini", "lost+found"})


@dataclass(slots=True)
class Scan:
    """`problems` is keyed by what it is about, spelled so that it can be shown."""

    files: dict[Path, Stamp] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)
    is_complete: bool = True
    """False: the folder cannot be read, so nothing follows from what was not seen."""


def is_passed_over(name: str) -> bool:
    """Hidden, half downloaded, or made by a file manager: nobody wants these shared."""
    return name.startswith(".") or name.lower().endswith(_UNFINISHED) or name.lower() in _CLUTTER


def is_below_hidden(path: Path, folder: Path) -> bool:
    """Whether a scan would not have come to it."""
    return any(is_passed_over(part) for part in path.relative_to(folder).parts)


def shown(path: Path) -> Path:
    """The path with every odd byte replaced, so that it can be printed and sent as JSON."""
    return Path(os.fsencode(path).decode("utf-8", "replace"))


def look(path: Path, within: Path | None) -> Stamp | str | None:
    """What the file is now; or why it is not shared; or None when it is none.

    `within`: the watched folder that it was found in; a link must not lead out of it."""
    if within is not None and is_passed_over(path.name):
        return None
    try:
        check_file_name(path.name)
        path.name.encode()
    except (RemoteProtocolError, UnicodeEncodeError):
        return "its name holds characters that other machines refuse: rename it, then it is shared"
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return _look_through(path, within)
    except OSError as error:
        return (
            None if isinstance(error, FileNotFoundError) else f"it cannot be read: {error.strerror}"
        )
    if not stat.S_ISREG(status.st_mode):
        return None
    if status.st_size == 0:
        return "it is empty: there is nothing to share"
    return Stamp.of(status)


def _look_through(path: Path, within: Path | None) -> Stamp | str | None:
    target = path.resolve()
    if within is not None and not target.is_relative_to(within.resolve()):
        return (
            "it is a link to something outside the shared folder: share that itself if you want to"
        )
    return None  # what it points to is in the folder as well


def scan(folder: Path, not_in: Path) -> Scan:
    """All files below `folder`, but none below `not_in`, the node's own state. Blocks."""
    found = Scan()
    todo = [(folder, 0)]
    while todo:
        here, depth = todo.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    _sort_in(found, entry, folder, not_in, depth, todo)
        except OSError as error:
            found.is_complete = found.is_complete and here != folder
            found.problems[shown(here)] = f"the folder cannot be read: {error.strerror}"
        if len(found.files) > MAX_FILES:
            found.problems[shown(folder)] = (
                f"it holds more than {MAX_FILES} files: the others are not shared"
            )
            break
    _pass_over_subtitles(found)
    return found


def _sort_in(
    found: Scan,
    entry: os.DirEntry[str],
    folder: Path,
    not_in: Path,
    depth: int,
    todo: list[tuple[Path, int]],
) -> None:
    if is_passed_over(entry.name):
        return
    path = Path(entry.path)
    if entry.is_dir(follow_symlinks=False):
        if depth < MAX_DEPTH and path != not_in:
            todo.append((path, depth + 1))
        return
    seen = look(path, folder)
    if isinstance(seen, Stamp):
        found.files[path] = seen
    elif seen is not None:
        found.problems[shown(path)] = seen


def _pass_over_subtitles(found: Scan) -> None:
    """Subtitles beside a video belong to it."""
    stems = {
        path.with_suffix("") for path in found.files if path.suffix.lower() not in SUBTITLE_SUFFIXES
    }
    for path in [p for p in found.files if p.suffix.lower() in SUBTITLE_SUFFIXES]:
        bare = path.with_suffix("")
        if bare in stems or bare.with_suffix("") in stems:
            del found.files[path]
