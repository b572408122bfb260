"""What a live's source is, told by how it is written; and whether it can work at all."""

import os
import socket
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from headwater.errors import LocalUsageError, NodeError
from headwater.media.live_options import LiveOptions
from headwater.media.regular import read_head
from headwater.media.signature import HEAD_BYTES, may_be_media

__all__ = [
    "NETWORK",
    "RtmpAddress",
    "check_source",
    "device_of",
    "kind_of",
    "listen_at",
    "rtmp_address",
]

NETWORK = ("http", "https", "rtsp", "rtsps", "udp", "tcp", "rtmps")
"""Schemes that are read from; `rtmp` listens."""
RTMP_PORT = 1935
_GRABBERS = {
    "screen": {"linux": "x11grab", "darwin": "avfoundation", "win32": "gdigrab"},
    "camera": {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"},
}
_CAMERA = {"linux": "/dev/video0", "darwin": "0", "win32": ""}


@dataclass(frozen=True, slots=True)
class RtmpAddress:
    """Where to listen, and what an encoder must name."""

    host: str
    port: int
    app: str
    key: str


@dataclass(frozen=True, slots=True)
class Device:
    """`name` as FFmpeg's `grabber` wants it; `path`: of the thing itself, where it has one."""

    grabber: str
    name: str
    path: str = ""


def kind_of(source: str) -> str:
    """`test`, `screen`, `camera`, `push`, `rtmp`, one of NETWORK, or `file`."""
    scheme, colon, _ = source.partition(":")
    if colon and (scheme in ("test", "screen", "camera", "push", "rtmp") or scheme in NETWORK):
        return scheme
    return "file"


def check_source(options: LiveOptions) -> None:
    """Whether going on air can work. Quick. Raises: LocalUsageError, which says what to do."""
    _check_numbers(options)
    kind = kind_of(options.source)
    if kind == "file":
        _check_file(options.source)
    elif kind == "rtmp":
        listen_at(rtmp_address(options.source, options.rtmp_key)).close()
    elif kind in ("screen", "camera"):
        _check_device(kind, device_of(options.source))
    elif kind == "push" and options.feed is None:
        raise LocalUsageError("push: is what the web page sends: go live there")
    elif kind in NETWORK and not urlsplit(options.source).hostname:
        raise LocalUsageError(f"{options.source} names no machine: write {kind}://HOST/...")


def _check_numbers(options: LiveOptions) -> None:
    bounds = {
        "bitrate": (options.bitrate_bps, 50_000, 200_000_000, "bits a second"),
        "height": (options.height, 32, 4320, "lines"),
        "fps": (options.fps, 1, 240, "pictures a second"),
    }
    for name, (value, least, most, unit) in bounds.items():
        if value and not least <= value <= most:
            raise LocalUsageError(f"{name} must be {least} to {most} {unit}, or 0")
    if not 0.2 <= options.gop_s <= 10:
        raise LocalUsageError("gop must be 0.2 to 10 seconds")
    if not 10 <= options.part_ms <= 1000:
        raise LocalUsageError("part-ms must be 10 to 1000 milliseconds")


def _check_file(source: str) -> None:
    if "://" in source:
        scheme = source.partition(":")[0]
        raise LocalUsageError(
            f"{scheme}: is no kind of address that can be read: use rtmp, rtsp, http, udp or tcp,"
            " or a file"
        )
    path = Path(source)
    try:
        head = read_head(path, HEAD_BYTES)
    except NodeError as error:
        raise LocalUsageError(
            f"{error}: name a video file, test:, screen:, camera:, or an address"
        ) from error
    if not head:
        raise LocalUsageError(f"{path.name} is empty")
    if not may_be_media(head):
        raise LocalUsageError(f"{path.name} is no recording in a format that is known here")


def rtmp_address(source: str, key: str = "") -> RtmpAddress:
    """Raises: LocalUsageError."""
    form = "write rtmp://0.0.0.0:1935/live/KEY"
    try:
        parts = urlsplit(source)
        port = RTMP_PORT if parts.port is None else parts.port
    except ValueError as error:
        raise LocalUsageError(f"{source} is no address: {form}") from error
    app, _, named = parts.path.strip("/").partition("/")
    key = key or named
    if not parts.hostname or not app:
        raise LocalUsageError(f"{source} does not say where to listen: {form}")
    if not key:
        raise LocalUsageError(f"{source} has no key, so anybody could take its place: {form}")
    return RtmpAddress(parts.hostname, port, app, key)


def listen_at(address: RtmpAddress) -> socket.socket:
    """Raises: LocalUsageError."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise LocalUsageError(
            f"cannot listen at {address.host}:{address.port}: {error.strerror or error}. Choose"
            " another port, or end the program that has it"
        ) from error


def device_of(source: str) -> Device:
    """Raises: LocalUsageError where this system has none."""
    kind, _, name = source.partition(":")
    grabber = _GRABBERS[kind].get(sys.platform)
    if grabber is None:
        raise LocalUsageError(f"{kind}: does not work on this system ({sys.platform})")
    if kind == "camera":
        name = name or _CAMERA[sys.platform]
        if grabber == "v4l2":
            return Device(grabber, name, name)
        return Device(grabber, f"video={name}" if grabber == "dshow" else name)
    if grabber == "x11grab":
        return Device(grabber, name or os.environ.get("DISPLAY", ""))
    return Device(grabber, name or ("desktop" if grabber == "gdigrab" else "Capture screen 0"))


def _check_device(kind: str, device: Device) -> None:
    if kind == "screen" and not device.name:
        raise LocalUsageError(
            "there is no screen to show: DISPLAY is not set. Start it from a desktop with X11, or"
            " name the display, for instance screen::0"
        )
    if device.path:
        try:
            is_device = stat.S_ISCHR(os.stat(device.path).st_mode)
        except OSError as error:
            raise LocalUsageError(
                f"there is no camera {device.path}: {error.strerror}. Plug one in, or name another,"
                " for instance camera:/dev/video1"
            ) from error
        if not is_device:
            raise LocalUsageError(f"{device.path} is no camera")
