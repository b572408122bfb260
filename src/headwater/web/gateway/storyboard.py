"""A WebVTT track that says which tile of the storyboard shows which stretch. Pure."""

from headwater.wire.items import VideoEntry

__all__ = ["storyboard_vtt"]

TILE_WIDTH = 160
TILE_HEIGHT = 90


def storyboard_vtt(entry: VideoEntry) -> str:
    """One cue a tile, as far as the video goes; each points into the picture by `#xywh=`."""
    tiles = entry.storyboard_columns * entry.storyboard_rows
    lines = ["WEBVTT", ""]
    for tile in range(tiles):
        start = tile * entry.storyboard_step_ms
        if start >= entry.duration_ms:
            break
        end = min(start + entry.storyboard_step_ms, entry.duration_ms)
        row, column = divmod(tile, entry.storyboard_columns)
        area = f"{column * TILE_WIDTH},{row * TILE_HEIGHT},{TILE_WIDTH},{TILE_HEIGHT}"
        lines += [f"{_clock(start)} --> {_clock(end)}", f"storyboard#xywh={area}", ""]
    return "\n".join(lines)


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{ms:03}"
