"""What `/live/{id}/parts` sends over its WebSocket. Pure.

Binary messages are parts, each behind a header of 32 bytes; text messages are JSON objects that
say what goes on. `ui/src/lib/live/frames.ts` is the other end.
"""

import struct
from typing import Any, Literal

import msgspec

from headwater.errors import LocalUsageError
from headwater.wire.live import PartInfo

__all__ = ["HEADER_BYTES", "Kind", "header", "parse_start", "parse_until", "text"]

_HEADER = struct.Struct(">QQQIBB2x")
"""Number, time shown and time taken (microseconds), duration (microseconds), flags, and how many
numbers more it takes (as PartInfo has it)."""
HEADER_BYTES = _HEADER.size
_INIT, _KEY = 1, 2

Kind = Literal["start", "init", "gap", "status", "ended", "failed"]
MAX_BACK_S = 7 * 86_400.0


def header(info: PartInfo) -> bytes:
    flags = _INIT * info.is_init + _KEY * info.is_key
    times = info.pts_us, info.capture_us, info.duration_us
    return _HEADER.pack(info.seq, *times, flags, info.more)


def text(kind: Kind, **facts: Any) -> str:
    return msgspec.json.encode({"type": kind, **facts}).decode()


def parse_start(asked: str) -> Literal["edge"] | int | float:
    """`edge`, a part's number, or `-SECONDS` before the edge. Raises: LocalUsageError."""
    if asked == "edge":
        return "edge"
    try:
        if asked.startswith("-"):
            seconds = abs(float(asked))
            return -seconds if seconds <= MAX_BACK_S else -MAX_BACK_S  # nor what is no number
        return int(asked)
    except ValueError as error:
        raise LocalUsageError(
            f"a live is watched from `edge`, a part's number or -SECONDS, not {asked[:40]!r}"
        ) from error


class _Until(msgspec.Struct):
    until_us: int | None


def parse_until(message: str | bytes) -> int | None:
    """Up to where (`pts_us`) the client wants parts for now; None: all. Raises: LocalUsageError."""
    try:
        return msgspec.json.decode(message, type=_Until).until_us
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LocalUsageError("a player says {until_us: microseconds or null}") from error
