"""What the tracks of a live have in common, taken as they come or encoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from headwater.media.live_init import AudioHeader, VideoHeader
from headwater.media.live_item import Item

__all__ = ["NewEpoch", "Picture", "Sound", "SoundTrack", "VideoTrack"]


class NewEpoch(Exception):
    """What comes cannot go on from what was. The message says why, in plain words.

    `must_encode`: a stream that was taken as it comes is not fit for that. `header`: the new one of
    its pictures. `has_picture`: whether there are any."""

    def __init__(
        self,
        message: str,
        *,
        must_encode: bool = False,
        header: bytes = b"",
        has_picture: bool = True,
    ) -> None:
        super().__init__(message)
        self.must_encode, self.header, self.has_picture = must_encode, header, has_picture


@dataclass(frozen=True, slots=True)
class Picture:
    """A coded one. `at_us` by the source's clock."""

    at_us: int
    payload: bytes
    is_key: bool


@dataclass(frozen=True, slots=True)
class Sound:
    """A frame of AAC. Units: `at` in samples of the live's time."""

    at: int
    payload: bytes


class VideoTrack(Protocol):
    @property
    def header(self) -> VideoHeader:
        """Known once a picture came out."""
        ...

    def take(self, item: Item, *, is_behind: bool) -> Iterator[Picture]:
        """Raises: NewEpoch."""
        ...


class SoundTrack(Protocol):
    @property
    def header(self) -> AudioHeader: ...

    def start(self, source_us: int, live_us: int) -> None:
        """What the source plays at `source_us` is heard at `live_us`; nothing is before it."""
        ...

    def take(self, item: Item) -> Iterator[Sound]: ...

    def fill(self, live_us: int) -> Iterator[Sound]:
        """Silence until about then, where nothing came."""
        ...
