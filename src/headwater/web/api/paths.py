"""Paths of this machine that the owner names in a request."""

from pathlib import Path

from headwater.errors import LocalUsageError

__all__ = ["absolute"]


def absolute(text: str) -> Path:
    """The path. Raises: LocalUsageError when it is relative: our folder is not the caller's."""
    if "\0" in text:
        raise LocalUsageError(f"{text!r} is no path: it holds a NUL character")
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise LocalUsageError(f"{text!r} is no path: {error}") from error
    if not path.is_absolute():
        raise LocalUsageError(f"{text!r} is a relative path: give it in full, from the root")
    return path
