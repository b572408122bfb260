"""What a library shows beside a recording: a poster, a storyboard, subtitles. Plain data."""

from dataclasses import dataclass

__all__ = ["NO_EXTRAS", "Extras", "Storyboard", "SubtitleFile"]


@dataclass(frozen=True, slots=True)
class Storyboard:
    """Tiles in one JPEG, row by row: tile n shows the recording at n * step_ms."""

    picture: bytes
    columns: int
    rows: int
    step_ms: int


@dataclass(frozen=True, slots=True)
class SubtitleFile:
    language: str
    """As the file tells it (`eng`, `de`), or empty."""
    label: str
    webvtt: bytes


@dataclass(frozen=True, slots=True)
class Extras:
    poster: bytes = b""
    """A JPEG, or empty where there is no picture."""
    storyboard: Storyboard | None = None
    subtitles: tuple[SubtitleFile, ...] = ()


NO_EXTRAS = Extras()
