"""`headwater live`: go on air."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from headwater.cli import units
from headwater.cli.client import Api
from headwater.cli.session import Session
from headwater.errors import LocalUsageError, NotFound

__all__ = ["Codec", "live"]

POLL_S = 0.5
RECORDING_S = 120.0
"""How long to wait for the recording of a live that has ended."""
ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Ctrl-C and its like: with its window closed, nobody's camera stays on air."""


class Codec(StrEnum):
    h264 = "h264"
    mjpeg = "mjpeg"


def live(
    session: Session,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A file, test:, screen:, camera:, rtmp://0.0.0.0:1935/live/KEY (listens for OBS), "
            "or an rtsp, http or udp address.",
        ),
    ],
    title: Annotated[str | None, typer.Option(help="What viewers read.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="A file begins again at its end.")] = False,
    codec: Annotated[
        Codec, typer.Option(help="mjpeg: each picture is a JPEG of its own.")
    ] = Codec.h264,
    bitrate: Annotated[
        str | None, typer.Option(metavar="RATE", help="Of the picture, bits a second: 4M, 800k.")
    ] = None,
    height: Annotated[int, typer.Option(help="Lines; 0: as it is.", min=0, max=4320)] = 0,
    fps: Annotated[int, typer.Option(help="Pictures a second; 0: as it is.", min=0, max=120)] = 0,
    gop: Annotated[
        float, typer.Option(help="Seconds from keyframe to keyframe.", min=0.1, max=10)
    ] = 1.0,
    part_ms: Annotated[
        int,
        typer.Option(help="Length of a part; 33 sends each picture by itself.", min=10, max=2000),
    ] = 100,
    stripes: Annotated[
        int, typer.Option(help="Into how many it is split; 1: a plain tree.", min=1, max=16)
    ] = 4,
    dvr: Annotated[
        float, typer.Option(metavar="MINUTES", help="How far viewers can go back.", min=0, max=1440)
    ] = 10,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Make a video of it at the end.")
    ] = True,
) -> None:
    """Go on air until Ctrl-C or the end of the source; then the recording is shared."""
    api = session.api()
    asked = {
        "source": _absolute(source),
        "title": title or _title(source),
        "loop": loop,
        "codec": codec.value,
        "bitrate_bps": _bits(bitrate),
        "height": height,
        "fps": fps,
        "gop_s": gop,
        "part_ms": part_ms,
        "stripes": stripes,
        "dvr_s": dvr * 60,
        "keep_recording": record,
    }
    on_air: dict[str, Any] | None = None
    try:
        with _held_back():
            on_air = api.post("/api/v1/lives", asked)
        _tell(session, api, on_air)
        ended = _watch_over(session, api, on_air["id"])
    except KeyboardInterrupt:
        if on_air is None:
            raise
        api.delete(f"/api/v1/lives/{on_air['id']}")
        ended = api.get(f"/api/v1/lives/{on_air['id']}")
    if record:
        ended = _recorded(session, api, ended)
    session.answer({"event": "ended", **ended})


@contextmanager
def _held_back() -> Iterator[None]:
    """Ctrl-C, and what counts as such, comes after this: then there is a live that can be ended."""
    came: list[int] = []
    for number in ENDING:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number in ENDING:
            signal.signal(number, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt


def _tell(session: Session, api: Api, on_air: Mapping[str, Any]) -> None:
    session.answer({"event": "on_air", **on_air})
    session.say(f"On air: {on_air['title']}  {api.page}/live/{on_air['id']}")
    if on_air["encoder"]:
        session.say(f"Server: {on_air['encoder']['server']}")
        session.say(f"Key:    {on_air['encoder']['key']}")
    session.say("Ctrl-C ends it.")


def _absolute(source: str) -> str:
    """The node may run in another folder."""
    return source if ":" in source and not Path(source).exists() else os.path.abspath(source)


def _title(source: str) -> str:
    if Path(source).exists():
        return Path(source).stem
    return source.partition(":")[0].capitalize()


def _bits(text: str | None) -> int:
    try:
        return units.parse_size(text) if text else 0
    except ValueError:
        raise LocalUsageError(f"{text!r} is no bitrate: write it as 4M or 800k") from None


def _watch_over(session: Session, api: Api, live: str) -> dict[str, Any]:
    """Say what changes, until it ends."""
    said = ""
    while True:
        now: dict[str, Any] = api.get(f"/api/v1/lives/{live}")
        told = f"{now['state']}, {now['viewers']} watching"
        told += f": {now['message']}" if now["message"] else ""
        if told != said:
            session.answer({"event": "live", **now})
            session.say(f"{units.duration(now['uptime_s'])}  {told}")
            said = told
        if now["state"] == "ended":
            return now
        time.sleep(POLL_S)


def _recorded(session: Session, api: Api, ended: dict[str, Any]) -> dict[str, Any]:
    """What it has become, once that is there."""
    until = time.monotonic() + RECORDING_S
    while not ended["recording"] and time.monotonic() < until:
        time.sleep(POLL_S)
        with suppress(NotFound):
            ended = api.get(f"/api/v1/lives/{ended['id']}")
    if ended["recording"]:
        session.say(f"The recording: {api.page}/watch/{ended['recording']}")
    else:
        session.say("The recording is not ready yet: it will be in `headwater ls`.")
    return ended
