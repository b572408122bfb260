"""Sources that FFmpeg opens by name: addresses, screens, cameras."""

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer

from headwater.errors import LocalUsageError, Unavailable
from headwater.media.live_address import device_of
from headwater.media.live_stream import PROBING
from headwater.media.source import FORMATS

__all__ = ["open_device", "open_remote"]

OPEN_S, READ_S = 10.0, 10.0
_WALLS = {
    "protocol_whitelist": "http,https,httpproxy,tcp,tls,udp,rtp,srtp,rtmps,crypto",
    "format_whitelist": f"{FORMATS},rtsp,rtp,sdp,hls,live_flv,mpjpeg,mjpeg,h264,hevc",
}
"""The address was chosen by the node's owner, what answers there was not: no file is reached."""
_GRABBING = {
    "x11grab": {"draw_mouse": "1"},
    "avfoundation": {"capture_cursor": "1", "pixel_format": "nv12"},
    "gdigrab": {},
    "v4l2": {},
    "dshow": {},
}
_DEFAULT_FPS = 30


@contextmanager
def open_remote(url: str) -> Iterator[InputContainer]:
    """Raises: Unavailable."""
    options = _WALLS | PROBING
    if url.startswith("rtsp"):
        options["rtsp_flags"] = "prefer_tcp"
    if url.startswith(("udp", "tcp")):
        options["fifo_size"] = "200000"
    try:
        container = av.open(
            url, "r", container_options=options, timeout=(OPEN_S, READ_S), metadata_errors="replace"
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise Unavailable(f"{url} gives nothing: {plain(error)}") from error
    with container:
        yield container


@contextmanager
def open_device(source: str, fps: int) -> Iterator[InputContainer]:
    """Raises: LocalUsageError, which says what to do; Unavailable when it is there, but busy."""
    device, what = device_of(source), source.partition(":")[0]
    options = _GRABBING[device.grabber] | {"framerate": str(fps or _DEFAULT_FPS)}
    try:
        try:
            container = _open(device.grabber, device.name, options)
        except av.FFmpegError:
            del options["framerate"]  # it has a rate of its own
            container = _open(device.grabber, device.name, options)
    except (av.error.FileNotFoundError, av.error.InvalidDataError) as error:
        raise LocalUsageError(
            f"the {what} {device.name} is not there: {plain(error)}. Name another after {what}:"
        ) from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise Unavailable(
            f"the {what} {device.name} cannot be opened: {plain(error)}. Another program may have"
            " it, or this one may not use it"
        ) from error
    with container:
        yield container


def _open(grabber: str, name: str, options: dict[str, str]) -> InputContainer:
    return av.open(name, "r", format=grabber, container_options=options)


def plain(error: Exception) -> str:
    told = getattr(error, "strerror", None)
    return str(told or error)
