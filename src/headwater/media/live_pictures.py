"""Pictures out of a source, as an encoder wants them: upright, of one size, not too many."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from headwater.media.live_item import MICROS, Item, at_us
from headwater.media.live_track import NewEpoch
from headwater.media.picture import chain, fitted, upright_filters
from headwater.media.stream_times import AnyPacket

__all__ = ["Pictures"]

MAX_SIDE = 1920
"""Larger pictures are made smaller: encoding them would not keep up."""


class Pictures:
    """For one epoch. `height`, `fps`: 0 for the source's own. `pixels`: the format wanted."""

    def __init__(self, stream: VideoStream | None, height: int, fps: int, pixels: str) -> None:
        self._stream, self._height, self._pixels = stream, height, pixels
        self._step_us = 1_000_000 / fps if fps else 0.0
        self._base = (stream.time_base if stream else None) or MICROS
        self._next_us = 0.0
        self._last_us = -(2**62)
        self._given: tuple[int, int, int] | None = None
        self._graph: Graph | None = None
        self._graph_for: tuple[object, ...] = ()
        self._is_interlaced = False
        self.size = (0, 0)
        """Of what comes out, once something has."""

    def prime(self, packets: Sequence[AnyPacket], last_us: int) -> None:
        """Bring the decoder to where a stream is, its pictures up to `last_us` being out."""
        for packet in packets:
            for _ in self._decoded(packet):
                pass
        self._last_us = last_us

    def take(self, item: Item, *, is_behind: bool) -> Iterator[VideoFrame]:
        """Their `pts` are microseconds of the source's clock. `is_behind`: decode only, so that
        what is late is made up for. Raises: NewEpoch when the size changes."""
        for frame in self._decoded(item.piece):
            base = frame.time_base or self._base  # a decoder's last frames do not tell it
            if frame.pts is None or frame.is_corrupt:
                continue
            now_us = at_us(frame.pts, base)
            if now_us <= self._last_us or is_behind or self._is_too_soon(now_us):
                continue
            self._last_us = now_us
            yield from self._fitting(frame, now_us)

    def _decoded(self, piece: object) -> Iterator[VideoFrame]:
        if isinstance(piece, VideoFrame):
            yield piece
        elif self._stream is not None:
            decoder = self._stream.codec_context
            try:
                yield from decoder.decode(piece if isinstance(piece, av.Packet) else None)
            except (av.FFmpegError, EOFError):
                return  # a damaged picture: the next keyframe mends it
            if piece is None:
                decoder.flush_buffers()

    def _is_too_soon(self, now_us: int) -> bool:
        if not self._step_us:
            return False
        if now_us < self._next_us - self._step_us / 4:
            return True
        self._next_us = max(self._next_us + self._step_us, now_us)
        return False

    def _fitting(self, frame: VideoFrame, now_us: int) -> Iterator[VideoFrame]:
        given = (frame.width, frame.height, frame.rotation)
        if self._given is not None and given != self._given:
            raise NewEpoch(f"the picture is now {frame.width} by {frame.height} points large")
        self._given = given
        self._is_interlaced = self._is_interlaced or frame.interlaced_frame
        needs = (frame.format.name, self._is_interlaced)
        if self._graph is None or self._graph_for != needs:
            self._graph, self._graph_for = self._make_graph(frame), needs
        frame.pts, frame.time_base = now_us, MICROS
        self._graph.vpush(frame)
        while True:
            try:
                picture = self._graph.vpull()
            except (BlockingIOError, EOFError):
                return
            assert picture.pts is not None and picture.time_base is not None
            picture.pts = at_us(picture.pts, picture.time_base)
            picture.time_base, picture.pict_type = MICROS, PictureType.NONE
            yield picture

    def _make_graph(self, frame: VideoFrame) -> Graph:
        aspect = (self._stream.sample_aspect_ratio if self._stream else None) or Fraction(1)
        wide = max(1, round(frame.width * aspect))
        shown = (frame.height, wide) if round(frame.rotation) % 180 else (wide, frame.height)
        self.size = fitted(shown, MAX_SIDE)
        if self._height:
            self.size = _of_height(shown, min(self._height, MAX_SIDE))
        even = [("bwdif", "mode=send_frame:deint=interlaced")] if self._is_interlaced else []
        scale = ("scale", f"w={self.size[0]}:h={self.size[1]}:reset_sar=1")
        return chain(
            frame, MICROS, [*even, *upright_filters(frame), scale, ("format", self._pixels)]
        )


def _of_height(shown: tuple[int, int], height: int) -> tuple[int, int]:
    return max(2, 2 * round(shown[0] * height / shown[1] / 2)), max(2, 2 * round(height / 2))
