"""Real fMP4 parts, as an ingest makes them, and a node's lives in memory that sends them."""

import array
import asyncio
import io
import math
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from hashlib import sha256
from itertools import pairwise
from typing import Any, Literal

import av
import msgspec
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import NotFound
from headwater.live.view import Ended, Gap, Start
from headwater.media.hls_boxes import boxes
from headwater.media.live_options import LiveOptions
from headwater.web.live_port import Window
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.items import LiveEntry
from headwater.wire.live import PartInfo, live_id

RATE, SOUND_RATE = 25, 48_000
KEY_FLAGS = 0x02000000


@dataclass(frozen=True)
class Piece:
    """`payload` of a part, and when it is shown. Units: microseconds."""

    payload: bytes
    pts_us: int
    duration_us: int
    is_key: bool
    is_init: bool = False


@cache
def fmp4(
    seconds: float = 3.0,
    *,
    begin_s: float = 0.0,
    size: tuple[int, int] = (320, 180),
    gop_s: float = 1.0,
    part_ms: int = 120,
    sound: bool = True,
) -> tuple[Piece, ...]:
    """Init and parts of a moving picture with a tone; times begin at `begin_s`."""
    raw = io.BytesIO()
    options = {
        "movflags": "empty_moov+default_base_moof+frag_keyframe+skip_trailer+frag_discont",
        "frag_duration": str(part_ms * 1000),
        "use_editlist": "0",
        "avoid_negative_ts": "disabled",
    }
    with av.open(raw, "w", format="mp4", options=options) as out:
        video = out.add_stream(
            "libx264", rate=RATE, options={"preset": "ultrafast", "tune": "zerolatency"}
        )
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, RATE)
        video.codec_context.gop_size = round(gop_s * RATE)
        audio = out.add_stream("aac", rate=SOUND_RATE, layout="mono") if sound else None
        first, heard = round(begin_s * RATE), round(begin_s * SOUND_RATE)
        for number in range(first, first + round(seconds * RATE)):
            out.mux(video.encode(_picture(number, size)))
            while audio is not None and heard < (number + 1) * SOUND_RATE // RATE:
                out.mux(audio.encode(_tone(heard)))
                heard += 1024
        out.mux(video.encode())
        if audio is not None:
            out.mux(audio.encode())
    return tuple(_pieces(raw.getvalue(), begin_s + seconds))


def _picture(number: int, size: tuple[int, int]) -> VideoFrame:
    """A bar that moves, under a ceiling whose brightness changes."""
    width, height = size
    frame = VideoFrame(width, height, "yuv420p")
    bar = number * 4 % width
    luma = _filled(frame.planes[0].line_size, bar, 160, 40)
    ceiling = bytes([number * 9 % 220 + 16]) * frame.planes[0].line_size
    frame.planes[0].update(ceiling * (height // 4) + luma * (height - height // 4))
    for plane, (on, off) in zip(frame.planes[1:], ((90, 150), (200, 110)), strict=True):
        plane.update(_filled(plane.line_size, bar // 2, on, off) * plane.height)
    frame.pts, frame.time_base = number, Fraction(1, RATE)
    return frame


def _filled(length: int, bar: int, on: int, off: int) -> bytes:
    return bytes([on]) * bar + bytes([off]) * (length - bar)


def _tone(at: int) -> AudioFrame:
    frame = AudioFrame("fltp", "mono", 1024)
    turns = (2 * math.pi * 440 * (at + n) / SOUND_RATE for n in range(1024))
    frame.planes[0].update(array.array("f", (0.1 * math.sin(turn) for turn in turns)).tobytes())
    frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, at, Fraction(1, SOUND_RATE)
    return frame


def _pieces(raw: bytes, end_s: float) -> Iterator[Piece]:
    """The stream cut before each moof."""
    cuts, at = [], 0
    for kind, content in boxes(raw):
        if kind == b"moof":
            cuts.append(at)
        at += 8 + len(content)
    yield Piece(raw[: cuts[0]], 0, 0, False, is_init=True)
    ends = [*cuts[1:], len(raw)]
    parts = [raw[a:b] for a, b in zip(cuts, ends, strict=True)]
    shown = [_first_picture(part) for part in parts]
    starts = [start for start, _ in shown]
    for part, (start, is_key), end in zip(parts, shown, [*starts[1:], end_s], strict=True):
        pts_us = round(start * 1e6)
        yield Piece(part, pts_us, round(end * 1e6) - pts_us, is_key)


def _first_picture(part: bytes) -> tuple[float, bool]:
    """Seconds, and whether it is a keyframe."""
    moof = next(content for kind, content in boxes(part) if kind == b"moof")
    traf = next(dict(boxes(content)) for kind, content in boxes(moof) if kind == b"traf")
    (ticks,) = struct.unpack_from(">Q", traf[b"tfdt"], 4)
    flags = int.from_bytes(traf[b"trun"][:4], "big") & 0xFFFFFF
    default = traf[b"tfhd"]
    sample = struct.unpack_from(">I", traf[b"trun"], 12)[0] if flags & 4 else None
    if sample is None:
        sample = struct.unpack_from(">I", default, len(default) - 4)[0]
    return ticks / TICKS, not sample & 0x00010000


TICKS = 12_800
"""A second of the picture track: FFmpeg doubles 25 until it is at least 10,000."""


def jpegs(seconds: float = 2.0, size: tuple[int, int] = (320, 180)) -> list[Piece]:
    """A live whose parts are pictures of their own."""
    pieces = [Piece(b"\0", 0, 0, False, is_init=True)]
    for number in range(round(seconds * RATE)):
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = *size, "yuvj420p"
        encoder.time_base = Fraction(1, RATE)
        packets = encoder.encode(_picture(number, size).reformat(format="yuvj420p"))
        packets += encoder.encode(None)
        step = 1_000_000 // RATE
        pieces.append(Piece(b"".join(map(bytes, packets)), number * step, step, True))
    return pieces


@dataclass(frozen=True)
class FakePart:
    info: PartInfo
    payload: bytes


@dataclass
class FakeStripe:
    """`ancestors`: the parent first."""

    ancestors: tuple[NodeId, ...] = ()
    children: tuple[NodeId, ...] = ()

    @property
    def parent(self) -> NodeId | None:
        return self.ancestors[0] if self.ancestors else None


@dataclass
class FakeReport:
    stripes: list[FakeStripe] = field(default_factory=list)


@dataclass(eq=False)
class FakeLive:
    """One live: what has been made of it so far. `air` adds to it."""

    entry: LiveEntry
    channel: NodeId
    is_mine: bool = False
    viewers: int = 0
    delay_s: float | None = 0.04
    uptime_s: float = 12.0
    message: str = ""
    report: FakeReport = field(default_factory=FakeReport)
    parts: list[FakePart] = field(default_factory=list)
    oldest: int = 0
    is_ended: bool = False
    epoch: int = -1
    missing: set[int] = field(default_factory=set)
    is_kept: bool = False
    is_relayed: bool = False
    views: list["FakeView"] = field(default_factory=list)
    opened: list[Start] = field(default_factory=list)
    first: int | None = None
    """Where every view begins, instead of at the newest keyframe."""
    news_of_idle: asyncio.Event = field(default_factory=asyncio.Event)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def state(self) -> Literal["on", "waiting", "ended"]:
        return "ended" if self.is_ended else self.entry.state

    def air(self, pieces: Sequence[Piece]) -> list[FakePart]:
        """Sign nothing, number everything."""
        made = [self._part(piece) for piece in pieces]
        self.wake()
        return made

    def _part(self, piece: Piece) -> FakePart:
        seq = len(self.parts)
        self.epoch += piece.is_init
        init = seq if piece.is_init else self.parts[-1].info.init
        group = seq if piece.is_init or piece.is_key else self.parts[-1].info.group
        info = PartInfo(
            live=self.entry.live,
            epoch=self.epoch,
            seq=seq,
            group=group,
            init=init,
            pts_us=piece.pts_us,
            duration_us=piece.duration_us,
            capture_us=1_700_000_000_000_000 + piece.pts_us,
            size_bytes=len(piece.payload),
            sha256=sha256(piece.payload).digest(),
        )
        self.parts.append(FakePart(info, piece.payload))
        return self.parts[-1]

    def end(self, recording: bytes = b"") -> None:
        self.is_ended = True
        self.change(state="ended", recording=recording)
        self.wake()

    def change(self, **facts: object) -> None:
        self.entry = msgspec.structs.replace(self.entry, **facts)

    def wake(self) -> None:
        more, self._more = self._more, asyncio.Event()
        more.set()

    async def more(self) -> None:
        await self._more.wait()

    async def idle(self, views: int = 1) -> None:
        """Until so many views have read all that there is."""
        while sum(view.idle.is_set() for view in self.views) < views:
            self.news_of_idle.clear()
            await self.news_of_idle.wait()

    def newest_key(self) -> int:
        if self.first is not None:
            return self.first
        return max((p.info.seq for p in self.parts if p.info.is_key), default=0)

    def back(self, seconds: float) -> int:
        """The keyframe at or before that time."""
        wanted = self.parts[-1].info.pts_us + seconds * 1e6
        keys = [p.info for p in self.parts[self.oldest :] if p.info.is_key]
        before = [info.seq for info in keys if info.pts_us <= wanted]
        return before[-1] if before else keys[0].seq


class FakeView:
    def __init__(self, live: FakeLive, start: Start) -> None:
        self._live, self._at, self._start = live, -1, start
        self._init = -1
        self.closed, self.idle = asyncio.Event(), asyncio.Event()

    @property
    def entry(self) -> LiveEntry:
        return self._live.entry

    async def next(self) -> FakePart | Gap | Ended:
        live = self._live
        while True:
            if self._at < 0 and any(p.info.is_key for p in live.parts):
                self._at = self._first()
            if 0 <= self._at < len(live.parts):
                break
            if live.is_ended:
                return Ended()
            self.idle.set()
            live.news_of_idle.set()
            await live.more()
            self.idle.clear()
        if self._at in live.missing:
            while self._at < len(live.parts) and not self._is_door(self._at):
                self._at += 1
            return Gap(self._at)
        part = live.parts[self._at]
        if part.info.init != self._init:
            self._init = part.info.init
            return live.parts[self._init]
        self._at += 1
        if part.info.is_init:  # it went before its keyframe already
            return await self.next()
        return part

    def _is_door(self, seq: int) -> bool:
        info = self._live.parts[seq].info
        return seq not in self._live.missing and (info.is_key or info.is_init)

    def _first(self) -> int:
        if self._start == "edge":
            return self._live.newest_key()
        if isinstance(self._start, float):
            return self._live.back(self._start)
        keys = (p.info.seq for p in self._live.parts if p.info.is_key)
        return next((key for key in keys if key >= self._start), self._live.newest_key())

    def init(self, seq: int) -> FakePart | None:
        return self._live.parts[seq] if seq < len(self._live.parts) else None

    def window(self) -> Window | None:
        live = self._live
        if not live.parts:
            return None
        oldest = live.parts[live.oldest].info
        newest = live.parts[-1].info
        return oldest.seq, newest.seq, oldest.pts_us, newest.pts_us

    def seek(self, start: Start) -> None:
        self._at, self._start = -1, start

    async def close(self) -> None:
        self.closed.set()


@dataclass
class FakeLives:
    by_id: dict[bytes, FakeLive] = field(default_factory=dict)
    started: list[tuple[LiveOptions, str, float, int, bool]] = field(default_factory=list)

    def add(self, title: str = "Concert", **facts: object) -> FakeLive:
        channel, key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        author, stream = (k.public_key().public_bytes_raw() for k in (channel, key))
        about: dict[str, Any] = {
            "media_type": 'video/mp4; codecs="avc1.42c00d, mp4a.40.2"',
            "width": 320,
            "height": 180,
            "part_ms": 120,
            "node": author,
            "created_ms": round(time.time() * 1000) - 12_000,
            **facts,
        }
        entry = LiveEntry(
            version=1,
            live=live_id(author, stream),
            stream_key=stream,
            title=title,
            **about,
        )
        live = self.by_id[entry.live] = FakeLive(entry, NodeId(author))
        return live

    def list(self) -> "list[FakeLive]":
        return list(self.by_id.values())

    def get(self, live: LiveId) -> FakeLive:
        if live not in self.by_id:
            raise NotFound(f"no live {live.hex()[:10]} is on air")
        return self.by_id[live]

    async def start(
        self,
        options: LiveOptions,
        title: str,
        *,
        dvr_s: float = 600.0,
        stripes: int = 4,
        keep_recording: bool = True,
    ) -> LiveId:
        self.started.append((options, title, dvr_s, stripes, keep_recording))
        live = self.add(title, stripes=stripes, state="waiting", part_ms=options.part_ms)
        live.is_mine = True
        return LiveId(live.entry.live)

    async def stop(self, live: LiveId) -> None:
        self.get(live).end()

    def relay(self, live: LiveId, is_relayed: bool) -> None:
        self.get(live).is_relayed = is_relayed

    def keep(self, live: LiveId, is_kept: bool) -> None:
        self.get(live).is_kept = is_kept

    async def watch(self, live: LiveId, start: Start = "edge") -> FakeView:
        found = self.get(live)
        found.opened.append(start)
        view = FakeView(found, start)
        found.views.append(view)
        return view


async def air_in_time(live: FakeLive, pieces: Sequence[Piece], *, speed: float = 1.0) -> None:
    """Each part when its last picture has been taken."""
    loop = asyncio.get_running_loop()
    begun_s, first_us = loop.time(), pieces[0].pts_us
    for piece in pieces:
        due_s = begun_s + (piece.pts_us + piece.duration_us - first_us) / 1e6 / speed
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        live.air([piece])


def shifted(pieces: Sequence[Piece], by_us: int) -> list[Piece]:
    return [replace(piece, pts_us=piece.pts_us + by_us) for piece in pieces]


def contiguous(pieces: Sequence[Piece]) -> bool:
    parts = [piece for piece in pieces if not piece.is_init]
    return all(a.pts_us + a.duration_us == b.pts_us for a, b in pairwise(parts))
