"""What a spool's folder tells of its live, so that a recording can be finished after a crash."""

from pathlib import Path

import msgspec
from msgspec import Struct

from headwater.store.durable import replace_file
from headwater.wire.items import LiveEntry, VideoEntry

__all__ = ["About", "read_about", "write_about"]

_NAME = "about"


class About(Struct, frozen=True):
    entry: LiveEntry
    channel: bytes
    is_mine: bool
    """It was made here: the recording is to be finished and shared."""
    is_kept: bool
    """It was watched, and what came of it is wanted."""
    recording: VideoEntry | None = None
    """What is to be said of it once it lies among the videos: from shortly before that on."""


def read_about(folder: Path) -> About | None:
    """None where there is none that can be read."""
    try:
        return msgspec.msgpack.decode((folder / _NAME).read_bytes(), type=About)
    except (OSError, msgspec.DecodeError):
        return None


def write_about(folder: Path, about: About) -> None:
    """Raises: OSError."""
    replace_file(folder / _NAME, msgspec.msgpack.encode(about), on_disk=False)
