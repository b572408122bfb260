"""One picture that stands for a recording: not black, from a little way in, small."""

from pathlib import Path
from statistics import fmean, pstdev

from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from headwater.errors import MediaError
from headwater.media.picture import encode_jpeg, fitted, frame_at, length_s, shown_size, small
from headwater.media.source import open_media
from headwater.media.tracks import main_video

__all__ = ["poster"]

MAX_SIDE = 640
MAX_BYTES = 150_000
_PLACES = (0.1, 0.25, 0.4, 0.02, 0.6)
"""Where to look, as parts of the whole: the first picture that shows something wins."""
_QUANTIZERS = (4, 8, 16, 31)
_DARK, _FLAT = 24, 10
"""Mean and spread of the brightness (of 255) below which a picture shows nothing."""


def poster(path: Path) -> bytes:
    """A JPEG of at most MAX_SIDE and MAX_BYTES; of music its cover. Blocking.

    Raises: MediaError when nothing in the file can be shown."""
    with open_media(path) as container:
        video = main_video(container) or _cover(container)
        frame = _telling(container, video) if video else None
        if video is None or frame is None:
            raise MediaError(f"{path.name} holds no picture that can be shown")
        picture = small(frame, fitted(shown_size(video, frame), MAX_SIDE))
        jpegs = (encode_jpeg(picture, quantizer) for quantizer in _QUANTIZERS)
        return next(jpeg for jpeg in jpegs if len(jpeg) <= MAX_BYTES)


def _telling(container: InputContainer, video: VideoStream) -> VideoFrame | None:
    """The first that is neither dark nor flat, else the one with the most in it."""
    best, most = None, -1.0
    for place in _PLACES:
        frame = frame_at(container, video, place * length_s(container))
        if frame is None:
            continue
        light = bytes(frame.reformat(width=64, height=36, format="gray").planes[0])
        mean, spread = fmean(light), pstdev(light)
        if mean >= _DARK and spread >= _FLAT:
            return frame
        if spread > most:
            best, most = frame, spread
    return best


def _cover(container: InputContainer) -> VideoStream | None:
    """The picture that comes with music."""
    covers = (s for s in container.streams.video if s.disposition & Disposition.attached_pic)
    return next(covers, None)
