"""The process that reads a stranger's video for HLS: `python -m headwater.media.stream_child`.

It has no file, no socket and no way to open one: its only door is the pipe to the node.
"""

import os
import resource
import select
import signal
import sys
from contextlib import ExitStack
from typing import BinaryIO, NoReturn, cast

import av.subtitles.stream  # noqa: F401 - PyAV would load it later, when no file can be opened
import msgspec

from headwater.errors import MediaError, NodeError
from headwater.media import stream_pipe as pipe
from headwater.media.source import open_container
from headwater.media.stream_cutter import Cutter
from headwater.media.stream_source import PipedFile

__all__ = ["main"]

NICENESS = 2
MAX_MEMORY_BYTES = 4 * 1024**3


class _Stopped(Exception):
    """The node does not want it any more."""


class _Child:
    """Shape: one request at a time, one answer each."""

    def __init__(self, into: int, out: int) -> None:
        self._into, self._out = into, out
        self._opening: pipe.Opening | None = None
        self._file: PipedFile | None = None
        self._open = ExitStack()
        self._cutter: Cutter | None = None
        self._is_stopped = False

    def run(self) -> NoReturn:
        while True:
            kind, body = self._receive()
            if kind == pipe.STOP:
                continue  # what it was meant for has just ended
            self._is_stopped = False
            try:
                made = self._answer(kind, body)
            except _Stopped:
                self._close()
                self._send(pipe.frame(pipe.FAILED, pipe.Failure(pipe.STOPPED, "")))
            except NodeError as error:
                self._fail(error.code, str(error))
            except Exception as error:  # the process boundary: told to the node
                self._fail(MediaError.code, f"{type(error).__name__}: {error}")
            else:
                self._send(pipe.frame(pipe.MADE, made))

    def _answer(self, kind: int, body: bytes) -> bytes | list[float]:
        if kind == pipe.OPEN:
            self._opening = msgspec.msgpack.decode(body, type=pipe.Opening)
            self._file = PipedFile(self._opening.size_bytes, self._fetch)
            return self._ready().durations_s
        if kind == pipe.INIT:
            return self._ready().init()
        return self._ready().segment(msgspec.msgpack.decode(body, type=int))

    def _ready(self) -> Cutter:
        """The open video; opened anew when it was given up in the middle of a read."""
        if self._cutter is None:
            assert self._opening is not None and self._file is not None
            self._file.seek(0)
            opened = open_container(cast(BinaryIO, self._file), self._opening.name)
            container = self._open.enter_context(opened)
            self._cutter = Cutter(container, self._opening.duration_ms, self._check)
        return self._cutter

    def _close(self) -> None:
        self._cutter = None
        self._open.close()

    def _fail(self, code: str, message: str) -> None:
        self._close()
        self._send(pipe.frame(pipe.FAILED, pipe.Failure(code, message[:500])))

    def _fetch(self, start: int, length: int) -> bytes:
        if not self._is_stopped:
            self._send(pipe.frame(pipe.WANT, pipe.Stretch(start, length)))
            kind, body = self._receive()
            if kind == pipe.BYTES and len(body) == length:
                return body
        self._is_stopped = True  # a demuxer tries again after a failure: there is no more for it
        raise _Stopped

    def _check(self) -> None:
        """Between two packets: is it still wanted?"""
        if select.select([self._into], [], [], 0)[0]:
            self._receive()  # nothing but STOP comes uncalled-for
            self._is_stopped = True
            raise _Stopped

    def _receive(self) -> tuple[int, bytes]:
        kind, length = pipe.parse_header(self._read(pipe.HEADER.size))
        return kind, self._read(length)

    def _read(self, size: int) -> bytes:
        got = bytearray()
        while len(got) < size:
            part = os.read(self._into, size - len(got))
            if not part:
                os._exit(0)  # the node is gone, or done with this video
            got += part
        return bytes(got)

    def _send(self, raw: bytes) -> None:
        view = memoryview(raw)
        while view:
            view = view[os.write(self._out, view) :]


def main() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not end up between our messages
    _shut_doors()
    _Child(0, out).run()


def _shut_doors() -> None:
    """No file or socket can be opened from here on, and memory has a limit."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


if __name__ == "__main__":
    main()
