"""Small pictures at even steps through a recording, in one JPEG: what scrubbing shows."""

from pathlib import Path

from av.video.frame import VideoFrame

from headwater.errors import MediaError
from headwater.media.extras import Storyboard
from headwater.media.picture import (
    encode_jpeg,
    filtered,
    fitted,
    frame_at,
    length_s,
    shown_size,
    small,
)
from headwater.media.source import open_media
from headwater.media.tracks import main_video
from headwater.media.worker_child import Report

__all__ = ["storyboard"]

MAX_TILES = 100
TILE_SIDE = 160
COLUMNS = 10
MIN_STEP_MS = 2000
_QUANTIZER = 6


def storyboard(report: Report, path: Path) -> Storyboard | None:
    """The keyframes nearest to each step, found by seeking: seconds for hours of film. Blocking.

    None where there is nothing to scrub through. Raises: MediaError when it cannot be read."""
    with open_media(path) as container:
        video, length_ms = main_video(container), int(length_s(container) * 1000)
        if video is None or length_ms < 2 * MIN_STEP_MS:
            return None
        step_ms = max(MIN_STEP_MS, -(-length_ms // MAX_TILES))
        count = -(-length_ms // step_ms)
        tiles: list[VideoFrame] = []
        size = (0, 0)
        for number in range(count):
            frame = frame_at(container, video, number * step_ms / 1000)
            if frame is not None:
                size = size if tiles else fitted(shown_size(video, frame), TILE_SIDE)
                tiles.append(small(frame, size))
            elif tiles:
                tiles.append(small(tiles[-1], size))  # each at its place
            report(number + 1, count)
        if not tiles:
            raise MediaError(f"{path.name} holds no picture that can be shown")
        columns, rows = min(COLUMNS, len(tiles)), -(-len(tiles) // COLUMNS)
        board = filtered(tiles, [("tile", f"{columns}x{rows}")])
        return Storyboard(encode_jpeg(board, _QUANTIZER), columns, rows, step_ms)
