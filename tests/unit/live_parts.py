"""Parts as a session keeps them, unsigned where nobody looks."""

import hashlib
from typing import Any

from headwater.live.part import LivePart
from headwater.wire.frames import encode
from headwater.wire.live import Part, PartInfo

__all__ = ["STEP_US", "part", "stream"]

STEP_US = 100_000


def part(seq: int, *, group: int | None = None, init: int = 0, **changes: Any) -> LivePart:
    """Without `group`: a keyframe, or an init where `init` is its number."""
    payload = changes.pop("payload", b"p" * 100)
    fields: dict[str, Any] = {
        **{"live": bytes(32), "epoch": 0, "seq": seq, "group": seq if group is None else group},
        **{"init": init, "pts_us": seq * STEP_US, "duration_us": STEP_US, "capture_us": 0},
        **{"size_bytes": len(payload), "sha256": hashlib.sha256(payload).digest()},
    }
    info = PartInfo(**{**fields, **changes})
    head = encode(Part(encode(info)[4:], bytes(64)))
    return LivePart(info, head + payload, len(head))


def stream(count: int, gop: int = 10) -> list[LivePart]:
    """An init and so many parts, a keyframe every `gop`."""
    inside = (part(1 + n, group=1 + n - n % gop) for n in range(count))
    return [part(0), *inside]
