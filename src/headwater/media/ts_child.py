"""The process that makes MPEG-TS of one epoch of a live: `python -m headwater.media.ts_child`.

fMP4 comes in by standard input and leaves as it is, in other clothes, by standard output. No file,
no socket, no other door.
"""

import os
import resource
import signal
import sys
from typing import Any, NoReturn

import av
import av.subtitles.stream  # PyAV would load it later, when no file can be opened
from av.error import FFmpegError

__all__ = ["main"]

NICENESS = 2
MAX_MEMORY_BYTES = 2 * 1024**3
_OPTIONS = {
    "analyzeduration": "0",  # the init says all there is to know
    "probesize": "5000",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2",
    "protocol_whitelist": "none",
    "enable_drefs": "0",
    "use_absolute_path": "0",
}
_WITHOUT_DELAY = {"muxdelay": "0", "muxpreload": "0", "flush_packets": "1"}


class _In:
    """As much as is there now, at least a byte."""

    def read(self, size: int) -> bytes:
        return os.read(0, size)


class _Out:
    def __init__(self, file: int) -> None:
        self._file = file

    def write(self, raw: bytes) -> int:
        view = memoryview(raw)
        while view:
            view = view[os.write(self._file, view) :]
        return len(raw)


def remux(source: object, target: object) -> None:
    """Until the source ends. Raises: FFmpegError."""
    with (
        av.open(
            source, "r", format="mp4", options=_OPTIONS, buffer_size=4096, io_open=_refuse
        ) as given,
        av.open(target, "w", format="mpegts", options=_WITHOUT_DELAY) as made,
    ):
        streams = {s.index: made.add_stream_from_template(s) for s in given.streams}
        last = dict.fromkeys(streams, -(2**63))
        for packet in given.demux():
            index = packet.stream.index
            if packet.dts is None or packet.dts <= last[index]:
                continue  # an encoder that went back a little: the muxer would give up
            last[index] = packet.dts
            packet.stream = streams[index]
            made.mux(packet)


def _refuse(*_: Any) -> NoReturn:
    raise OSError("nothing beside the stream itself is opened")


def main() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not end up in the stream
    _shut_doors()
    try:
        remux(_In(), _Out(out))
    except (FFmpegError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        os._exit(1)
    os._exit(0)


def _shut_doors() -> None:
    """No file or socket can be opened from here on, and memory has a limit."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


if __name__ == "__main__":
    main()
