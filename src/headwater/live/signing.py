"""Makes signed parts of what an encoder yields: numbers, epochs, groups, times that never go back.
Pure."""

import hashlib
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.live.part import LivePart
from headwater.overlay.slicing import Slicing
from headwater.wire import frames
from headwater.wire.ids import LiveId
from headwater.wire.live import MAX_DURATION_US, MAX_PART_BYTES, PartInfo, sign_part

__all__ = ["Made", "Signer"]


class Made(Protocol):
    """A part as the ingest hands it over."""

    @property
    def is_init(self) -> bool: ...
    @property
    def is_key(self) -> bool: ...
    @property
    def pts_us(self) -> int: ...
    @property
    def duration_us(self) -> int: ...
    @property
    def capture_us(self) -> int: ...
    @property
    def payload(self) -> bytes: ...


class Signer:
    """One for each live. An encoder that begins anew is a new epoch of the same live."""

    def __init__(self, key: Ed25519PrivateKey, live: LiveId, stripes: int) -> None:
        self._key, self._live = key, live
        self._slicing = Slicing(stripes)
        self._epoch, self._pts_us = -1, 0
        self._init: int | None = None
        self._group: int | None = None
        self.parts = 0
        """How many were signed."""
        self.unusable = 0
        """Fragments that nobody could have used: before an init, without their keyframe, too
        large."""

    def sign(self, made: Made) -> list[LivePart]:
        """None of them when nobody could use it; what builds on it is then left out as well."""
        seq = self.parts
        if not 1 <= len(made.payload) <= MAX_PART_BYTES:
            self._group = None
            if made.is_init:
                self._init = None
        elif made.is_init:
            self._epoch += 1
            self._init, self._group = seq, None
            return [self._signed(made, made.payload, seq, seq, 0)]
        elif self._init is not None and (made.is_key or self._group is not None):
            self._group = seq if made.is_key or self._group is None else self._group
            return self._cut(made, self._group, self._init)
        self.unusable += 1
        return []

    def _cut(self, made: Made, group: int, init: int) -> list[LivePart]:
        parts: list[LivePart] = []
        sizes = self._slicing.parts(len(made.payload))
        begin = 0
        for more, size in zip(reversed(range(len(sizes))), sizes, strict=True):
            payload = made.payload[begin : begin + size]
            parts.append(self._signed(made, payload, group, init, more))
            begin += size
        return parts

    def _signed(self, made: Made, payload: bytes, group: int, init: int, more: int) -> LivePart:
        self._pts_us = max(self._pts_us, made.pts_us)
        info = PartInfo(
            live=self._live,
            epoch=self._epoch,
            seq=self.parts,
            group=group,
            init=init,
            pts_us=self._pts_us,
            duration_us=0 if made.is_init else min(max(0, made.duration_us), MAX_DURATION_US),
            capture_us=max(0, made.capture_us),
            size_bytes=len(payload),
            sha256=hashlib.sha256(payload).digest(),
            more=more,
        )
        self.parts += 1
        head = frames.encode(sign_part(self._key, info))
        return LivePart(info, head + payload, len(head))
