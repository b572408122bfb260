"""Makes the HLS segments of one open recording, each on its own and in any order.

Runs in the process of `stream_child.py`.
"""

import io
from collections.abc import Callable
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from headwater.errors import MediaError
from headwater.media.hls_boxes import Track, fragment
from headwater.media.picture import fitted, shown_size
from headwater.media.stream_copy import AudioCopy, VideoCopy
from headwater.media.stream_cuts import Cuts, rewind
from headwater.media.stream_encode import (
    AudioEncode,
    VideoEncode,
    decoded,
    set_up_audio,
    set_up_video,
)
from headwater.media.stream_times import VIDEO_SCALE, Span
from headwater.media.tracks import main_audio, main_video

__all__ = ["Cutter"]

MAX_SIDE = 1920
"""Larger pictures are made smaller: encoding them would not keep up."""
MAX_PACKETS = 500
"""Read before giving up on a picture that can be decoded."""
PREROLLS_S = (Fraction(1, 4), Fraction(2), Fraction(12), None)
"""How far before a segment to begin reading: enough for a sound decoder to settle. What turns out
to begin too late (sound stored before its picture, keyframes that no index tells of) is read from
further back; None: from the beginning."""

_INIT = {"movflags": "empty_moov+default_base_moof", "video_track_timescale": str(VIDEO_SCALE)}


class Cutter:
    """Raises: MediaError when there is nothing to cut. `check` is called often, and may raise."""

    def __init__(
        self, container: InputContainer, duration_ms: int, check: Callable[[], None]
    ) -> None:
        self._container, self._check = container, check
        self._video, self._audio = main_video(container), main_audio(container)
        lead = self._video or self._audio
        if lead is None:
            raise MediaError("it holds neither pictures nor sound")
        self._lead = lead
        self._cuts = Cuts(container, lead, duration_ms)
        context = self._audio.codec_context if self._audio else None
        self._copies_audio = bool(context and context.name == "aac" and context.extradata)
        is_encoded = self._video is not None and not self._cuts.at_keyframes
        self._size = self._shown_size() if is_encoded else (2, 2)

    @property
    def durations_s(self) -> list[float]:
        """Of each segment."""
        return self._cuts.durations_s

    def init(self) -> bytes:
        """The header (`ftyp`, `moov`) that all segments share."""
        buffer = io.BytesIO()
        out = av.open(buffer, "w", format="mp4", options=_INIT)
        if self._video is not None and self._cuts.at_keyframes:
            out.add_stream_from_template(self._video)
        elif self._video is not None:
            set_up_video(out.add_stream("libx264").codec_context, self._video, self._size)
        if self._audio is not None and self._copies_audio:
            out.add_stream_from_template(self._audio)
        elif self._audio is not None:
            set_up_audio(out.add_stream("aac").codec_context, self._audio)
        out.start_encoding()
        header = buffer.getvalue()
        out.close()
        return header

    def segment(self, number: int) -> bytes:
        """One fragment. Raises: MediaError when there is no such segment."""
        span = self._cuts.span(number)
        for preroll_s in PREROLLS_S:
            tracks, is_late = self._read(span, preroll_s)
            if not is_late:
                break
        return fragment(number, tracks)

    def _read(self, span: Span, preroll_s: Fraction | None) -> tuple[list[Track], bool]:
        """What each track has, and whether something of it was missed that lies further back."""
        video, audio = self._video_of(span), self._audio_of(span)
        self._seek(span, preroll_s, is_copied=not isinstance(audio, AudioEncode))
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
        if self._cuts.at_keyframes:
            return VideoCopy(self._video, span, self._cuts.mark)
        return VideoEncode(self._video, span, self._size)

    def _audio_of(self, span: Span) -> AudioCopy | AudioEncode | None:
        if self._audio is None:
            return None
        return (
            AudioCopy(self._audio, span) if self._copies_audio else AudioEncode(self._audio, span)
        )

    def _seek(self, span: Span, preroll_s: Fraction | None, *, is_copied: bool) -> None:
        cuts = self._cuts
        if span.is_first or preroll_s is None:
            rewind(self._container, self._lead)
        elif cuts.at_keyframes and is_copied and preroll_s == PREROLLS_S[0]:
            self._container.seek(span.first_mark, stream=self._lead, backward=True)
        elif span.start - preroll_s <= cuts.origin:
            rewind(self._container, self._lead)
        else:
            time = round((span.start - preroll_s) / cuts.base)
            self._container.seek(time, stream=self._lead, backward=True)

    def _shown_size(self) -> tuple[int, int]:
        """Of the encoded picture. Raises: MediaError when none can be decoded."""
        assert self._video is not None
        self._video.thread_type = "AUTO"
        rewind(self._container, self._lead)
        for number, packet in enumerate(self._container.demux(self._video)):
            for frame in decoded(self._video, packet):
                if isinstance(frame, VideoFrame):
                    return fitted(shown_size(self._video, frame), MAX_SIDE)
            if number == MAX_PACKETS:
                break
        raise MediaError("it holds no picture that can be decoded")
