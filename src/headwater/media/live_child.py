"""The process that makes a live: `python -m headwater.media.live_child`.

Its work arrives on stdin, what it made leaves on stdout (live_pipe.py)."""

import os
import select
import signal
import sys
import threading
from typing import BinaryIO, NoReturn

import msgspec

from headwater.errors import MediaError, NodeError
from headwater.media import live_pipe as pipe
from headwater.media.live_options import IngestState
from headwater.media.live_sources import run_source

__all__ = ["main"]


def main() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not end up between our messages
    job = msgspec.msgpack.decode(_receive()[1], type=pipe.Job)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _serve(job, out)
    os._exit(0)  # no clean-up: the waiting thread would hold the interpreter's end up


def _serve(job: pipe.Job, out: BinaryIO) -> None:
    def say(said: pipe.Said) -> None:
        view = memoryview(pipe.frame(pipe.SAID, said))
        while view:
            view = view[out.write(view) :]

    try:
        run_source(job, say, _receive)
    except NodeError as error:
        say(IngestState("failed", str(error)))
    except Exception as error:  # the process boundary: told to the node
        say(IngestState("failed", f"{MediaError.code}: {type(error).__name__}: {error}"))
    else:
        say(IngestState("ended", "the source has ended"))


def _receive() -> tuple[int, bytes]:
    """The node's next frame."""
    kind, length = pipe.parse_header(_read(pipe.HEADER.size))
    return kind, _read(length)


def _read(size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        part = os.read(0, size - len(got))
        if not part:
            os._exit(0)
        got += part
    return bytes(got)


def _die_with_parent() -> NoReturn:
    """The parent holds stdin open while it wants this process: even its kill -9 ends it."""
    poll = select.poll()
    poll.register(0, 0)
    poll.poll()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
