"""Opens strangers' media so that it can reach nothing else: no file, no address, no odd format.

Four walls, one behind the other: the first bytes must be those of a recording; FFmpeg gets an open
file, not a name; only these demuxers may look at it, so a playlist or a pattern of pictures is
refused before it is read; and whatever a demuxer wants to open beside it is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import av
from av.container import InputContainer

from headwater.errors import MediaError
from headwater.media.regular import open_regular
from headwater.media.signature import HEAD_BYTES, may_be_media

__all__ = ["FORMATS", "open_container", "open_media"]

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,mpegvideo,avi,ogg,flv,asf,wav,mp3,flac,aac"
)
_OPTIONS = {
    "format_whitelist": FORMATS,
    "protocol_whitelist": "none",
    "enable_drefs": "0",
    "use_absolute_path": "0",
}
_BUFFER_BYTES = 256 * 1024


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """The recording at `path`. Raises: NotFound; MediaError when it is none."""
    with open_regular(path) as file, open_container(file, path.name) as container:
        yield container


@contextmanager
def open_container(file: BinaryIO, name: str) -> Iterator[InputContainer]:
    """The recording in an open, seekable file. Raises: MediaError when it is none or is damaged."""
    if not may_be_media(file.read(HEAD_BYTES)):
        raise MediaError(f"{name} is no recording in a format that is known here")
    file.seek(0)
    try:
        with av.open(
            file,
            "r",
            container_options=_OPTIONS,
            metadata_errors="replace",
            buffer_size=_BUFFER_BYTES,
            io_open=_refuse,
        ) as container:
            yield container
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(f"{name} cannot be read as a video: {error}") from error


def _refuse(*_: Any) -> NoReturn:
    raise PermissionError("a recording must not open another file")
