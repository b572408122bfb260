"""The process that makes a live: `python -m headwater.media.live_child`.

Its work arrives on stdin, what it made leaves on stdout (live_pipe.py)."""

import os
import select
import signal
import sys
import threading
from pathlib import Path
from typing import BinaryIO, NoReturn

import msgspec

from headwater.errors import MediaError, NodeError
from headwater.media import live_pipe as pipe
from headwater.media.live_file import FileSource
from headwater.media.live_maker import Maker
from headwater.media.live_options import IngestState
from headwater.media.live_test_card import TestCard
from headwater.media.source import open_media

__all__ = ["main"]


def main() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not end up between our messages
    _, length = pipe.parse_header(_read(pipe.HEADER.size))
    job = msgspec.msgpack.decode(_read(length), type=pipe.Job)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _serve(job, out)
    os._exit(0)  # no clean-up: the waiting thread would hold the interpreter's end up


def _serve(job: pipe.Job, out: BinaryIO) -> None:
    def say(said: pipe.Said) -> None:
        view = memoryview(pipe.frame(pipe.SAID, said))
        while view:
            view = view[out.write(view) :]

    try:
        _make(job, Maker(job, say))
    except NodeError as error:
        say(IngestState("failed", str(error)))
    except Exception as error:  # the process boundary: told to the node
        say(IngestState("failed", f"{MediaError.code}: {type(error).__name__}: {error}"))
    else:
        say(IngestState("ended", "the source has ended"))


def _make(job: pipe.Job, maker: Maker) -> None:
    if job.source == "test:":
        card = TestCard(job.height, job.fps)
        maker.run(card.tracks, card.items())
    else:
        with open_media(Path(job.source)) as container:
            source = FileSource(container, loop=job.loop, begin_us=job.begin_us)
            maker.run(source.tracks, source.items())


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
