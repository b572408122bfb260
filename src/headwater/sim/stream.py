"""The live that is simulated: its parts, how large they are and when they were made."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.overlay.slicing import Slicing
from headwater.wire.frames import encode
from headwater.wire.ids import LiveId
from headwater.wire.live import PartInfo, sign_part

__all__ = ["LIVE", "PART_HEAD_BYTES", "PART_S", "Format", "Stream"]

LIVE = LiveId(b"simulated live".ljust(32, b"."))
_HASH = bytes(32)
_INIT_BYTES = 900
PART_S = 0.1
"""Of a part, unless another length is asked for."""


@dataclass(frozen=True, slots=True)
class Format:
    """Of the live. A keyframe is larger than other pictures by `key_s` seconds of the stream, and
    the part that it is in with it."""

    bitrate_bps: int = 4_000_000
    part_s: float = PART_S
    stripes: int = 4
    group_s: float = 1.0
    key_s: float = 0.11

    @property
    def parts_per_group(self) -> int:
        return max(1, round(self.group_s / self.part_s))

    @property
    def stripe_bps(self) -> float:
        return self.bitrate_bps / self.stripes


def _head_bytes() -> int:
    """What a part's signed header takes on the wire in front of its payload."""
    info = PartInfo(LIVE, 1, 10_000, 10_000, 0, 2**40, 100_000, 2**50, 50_000, _HASH)
    return len(encode(sign_part(Ed25519PrivateKey.from_private_bytes(_HASH), info)))


PART_HEAD_BYTES = _head_bytes()


class Stream:
    """Parts are never forgotten here: `infos[seq]`, `made_s[seq]`."""

    __slots__ = ("_epoch", "_group", "_in_group", "_init", "_slicing", "form", "infos", "made_s")

    def __init__(self, form: Format) -> None:
        self.form = form
        self._slicing = Slicing(form.stripes)
        self._epoch = 0
        self._init = self._group = 0
        self._in_group = 0
        self.infos: list[PartInfo] = []
        self.made_s: list[float] = []

    def make_init(self, now: float) -> PartInfo:
        """The first part of a new epoch."""
        self._epoch += 1
        self._init = self._group = len(self.infos)
        self._in_group = 0
        return self._add(_INIT_BYTES, 0.0, now, 0)

    def make(self, now: float) -> list[PartInfo]:
        """The parts of the next fragment."""
        form = self.form
        is_key = self._in_group == 0
        if is_key:
            self._group = len(self.infos)
        self._in_group = (self._in_group + 1) % form.parts_per_group
        bytes_per_s = form.bitrate_bps / 8
        key_bytes = bytes_per_s * form.key_s
        size = bytes_per_s * form.part_s - key_bytes / form.parts_per_group
        sizes = self._slicing.parts(int(size + key_bytes if is_key else size))
        left = reversed(range(len(sizes)))
        return [
            self._add(each, form.part_s, now, more) for each, more in zip(sizes, left, strict=True)
        ]

    def _add(self, size_bytes: int, duration_s: float, now: float, more: int) -> PartInfo:
        moment_us = int(now * 1e6)
        info = PartInfo(
            live=LIVE,
            epoch=self._epoch,
            seq=len(self.infos),
            group=self._group,
            init=self._init,
            pts_us=moment_us,
            duration_us=int(duration_s * 1e6),
            capture_us=moment_us,
            size_bytes=size_bytes,
            sha256=_HASH,
            more=more,
        )
        self.infos.append(info)
        self.made_s.append(now)
        return info
