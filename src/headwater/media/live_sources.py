"""Runs the source of a live for as long as it gives something, and waits where it may come back."""

import resource
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import av
import av.subtitles.stream
from av.container import InputContainer

from headwater.errors import MediaError, NodeError
from headwater.media.live_address import NETWORK, kind_of, rtmp_address
from headwater.media.live_file import FileSource
from headwater.media.live_listener import Listener
from headwater.media.live_maker import Maker
from headwater.media.live_options import IngestState
from headwater.media.live_pipe import Job, Said
from headwater.media.live_push import Frame, Inbox
from headwater.media.live_remote import open_device, open_remote
from headwater.media.live_stream import PROBING, StreamSource, is_recording
from headwater.media.live_test_card import TestCard
from headwater.media.signature import may_be_media
from headwater.media.source import FORMATS, open_media

__all__ = ["run_source"]

MAX_MEMORY_BYTES = 4 * 1024**3
_RETRIES_S = (0.5, 1.0, 2.0, 5.0, 10.0)
_HEAD_BYTES = 600
"""Three packets of a transport stream; less than any recording of a browser."""
_SEALED = {"format_whitelist": f"{FORMATS},live_flv", "protocol_whitelist": "none"}

Say = Callable[[Said], None]


def run_source(job: Job, say: Say, receive: Callable[[], Frame]) -> None:
    """Until it has ended. Raises: NodeError when it cannot go on."""
    kind, maker = kind_of(job.source), Maker(job, say)
    if kind == "test":
        time.localtime()  # which reads a file, the first time
        shut_doors()
        card = TestCard(job.height, job.fps)
        maker.run(card.tracks, card.items())
    elif kind == "push":
        shut_doors()
        _run_pushed(maker, say, Inbox(receive))
    elif kind == "rtmp":
        _run_rtmp(job, maker, say)
    elif kind in NETWORK:
        _run_again(maker, say, partial(open_remote, job.source), "the source")
    elif kind in ("screen", "camera"):
        open_it = partial(open_device, job.source, job.fps)
        _run_again(maker, say, open_it, f"the {kind}", may_come_later=False)
    else:
        with open_media(Path(job.source)) as container:
            shut_doors()
            source = FileSource(container, loop=job.loop, begin_us=job.begin_us)
            maker.run(source.tracks, source.items())


def shut_doors(*, is_all: bool = True) -> None:
    """From here on no file is written, memory has a limit, and nothing more can be opened."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if is_all:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


def _run_pushed(maker: Maker, say: Say, inbox: Inbox) -> None:
    while True:
        say(IngestState("waiting", "waiting for the browser to send something"))
        recording = inbox.wait()
        if recording is None:
            return
        try:
            if not may_be_media(recording.peek(_HEAD_BYTES)):
                raise MediaError("what the browser sends is no recording in a known format")
            _run_sealed(maker, recording, {})
        except (NodeError, av.FFmpegError) as error:
            say(IngestState("waiting", f"{error}"))
        recording.skip()


def _run_rtmp(job: Job, maker: Maker, say: Say) -> None:
    state = IngestState("starting", "")

    def tell(text: str) -> None:
        say(IngestState(state.state, text))

    listener = Listener(rtmp_address(job.source, job.rtmp_key), tell)
    shut_doors(is_all=False)
    why = ""
    while True:
        state = IngestState("waiting", f"{why}waiting for an encoder at {listener.url}")
        say(state)
        broadcast = listener.wait()
        state = IngestState("on", "")
        try:
            _run_sealed(maker, broadcast, {"format": "flv"})
            why = "the encoder has gone; "
        except (NodeError, av.FFmpegError) as error:
            why = f"the encoder sent what cannot be read ({error}); "
        broadcast.close()


def _run_sealed(maker: Maker, file: object, how: dict[str, str]) -> None:
    with av.open(
        cast(BinaryIO, file),
        "r",
        format=how.get("format"),
        container_options=_SEALED | PROBING,
        metadata_errors="replace",
    ) as container:
        source = StreamSource(container)
        maker.run(source.tracks, source.items())


def _run_again(
    maker: Maker,
    say: Say,
    open_it: Callable[[], AbstractContextManager[InputContainer]],
    what: str,
    *,
    may_come_later: bool = True,
) -> None:
    """Whenever it ends or fails, after a pause that grows while nothing comes."""
    failures = 0
    say(IngestState("starting", f"opening {what}"))
    while True:
        began_us, why = maker.end_us, f"{what} has stopped"
        try:
            with open_it() as container:
                is_whole = is_recording(container)
                is_paced = is_whole or container.format.name == "hls"
                source = StreamSource(container, is_paced=is_paced)
                maker.run(source.tracks, source.items())
                if is_whole:
                    return
        except (NodeError, av.FFmpegError, OSError) as error:
            if maker.end_us == 0 and not may_come_later:
                raise
            why = str(error)
        failures = 0 if maker.end_us > began_us else failures + 1
        wait_s = _RETRIES_S[min(failures, len(_RETRIES_S) - 1)]
        say(IngestState("waiting", f"{why}; trying again in {wait_s:g} s"))
        time.sleep(wait_s)
