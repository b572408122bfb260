"""Cuts one open recording into HLS segments, each on its own and in any order.

Runs in the process of `stream_child.py`. What browsers decode is copied and cut at the keyframes
that the index knows; everything else, and what has no index, is encoded and cut anywhere.
"""

import io
from collections.abc import Callable
from fractions import Fraction

import av
from av.container import InputContainer
from av.index import IndexEntries

from headwater.errors import MediaError
from headwater.media import hls_plan
from headwater.media.hls_boxes import Track, fragment
from headwater.media.probe import tracks_of
from headwater.media.recording import copies_video
from headwater.media.stream_copy import AudioCopy, VideoCopy
from headwater.media.stream_encode import AudioEncode, VideoEncode, set_up_audio, set_up_video
from headwater.media.stream_times import VIDEO_SCALE, AnyPacket, Span
from headwater.media.tracks import main_audio, main_video

__all__ = ["Cutter"]

PREROLLS_S = (Fraction(1, 4), Fraction(2), Fraction(12), None)
"""How far before a segment to begin reading: enough for a sound decoder to settle. What turns out
to begin too late (sound stored before its picture, keyframes that no index tells of) is read from
further back; None: from the beginning."""


class Cutter:
    """Raises: MediaError when there is nothing to cut. `check` is called often, and may raise."""

    def __init__(
        self, container: InputContainer, duration_ms: int, check: Callable[[], None]
    ) -> None:
        self._container, self._check = container, check
        self._video, self._audio = main_video(container), main_audio(container)
        self._lead = self._video or self._audio
        if self._lead is None:
            raise MediaError("it holds neither pictures nor sound")
        self._base = self._lead.time_base or Fraction(1, 1000)
        self._by_decode_time = container.format.name.startswith("mov")
        self._earliest = min(self._lead.start_time or 0, 0)
        self._marks: list[int] = []
        self._origin = self._first_time()
        self._cuts = self._cut(self._end_time(duration_ms))

    # Planning.

    def _first_time(self) -> Fraction:
        """When the first picture is shown (or the first sound heard): there the playlist begins."""
        self._rewind()
        for packet in self._container.demux(self._lead):
            if packet.pts is not None:
                self._lag = packet.pts - (packet.dts if packet.dts is not None else packet.pts)
                return packet.pts * self._base
        raise MediaError("it holds no picture and no sound")

    def _end_time(self, duration_ms: int) -> Fraction:
        length = Fraction(self._container.duration or 0, av.time_base) or Fraction(
            duration_ms, 1000
        )
        if length <= 0:
            raise MediaError("its length is not known")
        start = Fraction(self._container.start_time or 0, av.time_base)
        return max(start + length, self._origin + Fraction(1, 10))

    def _cut(self, end: Fraction) -> list[Fraction]:
        if self._video is not None and copies_video(tracks_of(self._container)):
            times = {
                self._shown(mark): mark for mark in self._keyframe_marks(self._video.index_entries)
            }
            cuts = hls_plan.by_keyframes(sorted(times), end) if times else None
            if cuts is not None:
                self._marks = [times[cut] for cut in cuts[:-1]]
                return cuts
        return hls_plan.uniform(self._origin, end)

    def _keyframe_marks(self, entries: IndexEntries) -> list[int]:
        """The index's times of keyframes; empty when it has no index that can be trusted."""
        if not self._by_decode_time and not self._container.format.name.startswith("matroska"):
            return []
        marks = sorted({e.timestamp for e in entries if e.is_keyframe and not e.is_discard})
        first = round(self._origin / self._base) - (self._lag if self._by_decode_time else 0)
        return marks if marks and marks[0] == first else []

    def _shown(self, mark: int) -> Fraction:
        """When the keyframe is shown: the index of MP4 tells when it is decoded instead."""
        return (mark + self._lag if self._by_decode_time else mark) * self._base

    @property
    def durations_s(self) -> list[float]:
        return [float(b - a) for a, b in zip(self._cuts, self._cuts[1:], strict=False)]

    def _span(self, number: int) -> Span:
        last = len(self._cuts) - 2
        marks = self._marks
        return Span(
            self._cuts[number],
            self._cuts[number + 1],
            self._origin,
            is_first=number == 0,
            is_last=number == last,
            first_mark=marks[number] if marks else 0,
            last_mark=marks[number + 1] if marks and number < last else None,
        )

    # Cutting.

    def init(self) -> bytes:
        """The header (`ftyp`, `moov`) that all segments share."""
        buffer = io.BytesIO()
        options = {
            "movflags": "empty_moov+default_base_moof",
            "video_track_timescale": str(VIDEO_SCALE),
        }
        out = av.open(buffer, "w", format="mp4", options=options)
        if self._video is not None and self._marks:
            out.add_stream_from_template(self._video)
        elif self._video is not None:
            set_up_video(out.add_stream("libx264").codec_context, self._video)
        if self._audio is not None and self._copies_audio:
            out.add_stream_from_template(self._audio)
        elif self._audio is not None:
            set_up_audio(out.add_stream("aac").codec_context, self._audio)
        out.start_encoding()
        header = buffer.getvalue()
        out.close()
        return header

    @property
    def _copies_audio(self) -> bool:
        assert self._audio is not None
        context = self._audio.codec_context
        return context.name == "aac" and bool(context.extradata)

    def segment(self, number: int) -> bytes:
        """One fragment. Raises: MediaError when there is no such segment."""
        if not 0 <= number < len(self._cuts) - 1:
            raise MediaError(f"there is no segment {number}")
        for preroll_s in PREROLLS_S:
            tracks, is_late = self._read(self._span(number), preroll_s)
            if not is_late:
                break
        return fragment(number, tracks)

    def _read(self, span: Span, preroll_s: Fraction | None) -> tuple[list[Track], bool]:
        """What each track has, and whether something of it was missed that lies further back."""
        video, audio = self._video_of(span), self._audio_of(span)
        is_encoded = isinstance(video, VideoEncode) or isinstance(audio, AudioEncode)
        self._seek(span, preroll_s, is_encoded=is_encoded)
        for packet in self._container.demux([s for s in (self._video, self._audio) if s]):
            self._check()
            if video is not None and packet.stream is self._video:
                video.feed(packet)
            elif audio is not None and packet.stream is self._audio:
                audio.feed(packet)
            if (video is None or video.is_done) and (audio is None or audio.is_done):
                break
        found = [part for part in (video, audio) if part is not None]
        is_late = any(part.is_late for part in found) and preroll_s is not None
        return [part.track(n) for n, part in enumerate(found, 1)], is_late

    def _video_of(self, span: Span) -> VideoCopy | VideoEncode | None:
        if self._video is None:
            return None
        return (
            VideoCopy(self._video, span, self._mark)
            if self._marks
            else VideoEncode(self._video, span)
        )

    def _audio_of(self, span: Span) -> AudioCopy | AudioEncode | None:
        if self._audio is None:
            return None
        return (
            AudioCopy(self._audio, span) if self._copies_audio else AudioEncode(self._audio, span)
        )

    def _mark(self, packet: AnyPacket) -> int | None:
        return packet.dts if self._by_decode_time else packet.pts

    def _seek(self, span: Span, preroll_s: Fraction | None, *, is_encoded: bool) -> None:
        if span.is_first or preroll_s is None:
            self._rewind()
        elif self._marks and not is_encoded and preroll_s == PREROLLS_S[0]:
            self._container.seek(span.first_mark, stream=self._lead, backward=True)
        elif span.start - preroll_s <= self._origin:
            self._rewind()
        else:
            time = round((span.start - preroll_s) / self._base)
            self._container.seek(time, stream=self._lead, backward=True)

    def _rewind(self) -> None:
        if self._container.format.name in ("mpegts", "mpeg", "mpegvideo", "aac", "mp3"):
            self._container.seek(
                0, unsupported_byte_offset=True
            )  # without an index times are guesses
        else:
            self._container.seek(self._earliest, stream=self._lead, backward=True)
