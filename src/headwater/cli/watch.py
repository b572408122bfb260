"""`headwater watch`: play a video."""

import os
import shutil
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from headwater.cli import videos
from headwater.cli.client import Api
from headwater.cli.lives import Live, find_live
from headwater.cli.session import Session
from headwater.errors import NotFound

__all__ = ["Player", "has_desktop", "open_page", "watch"]


class Player(StrEnum):
    browser = "browser"
    mpv = "mpv"
    vlc = "vlc"
    ffplay = "ffplay"


def watch(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|LINK",
            help="Part of its title, or its link.",
            autocompletion=videos.complete,
        ),
    ],
    player: Annotated[Player, typer.Option(help="What to play it with.")] = Player.browser,
    save_frames: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of a live: every picture as a file, and a log of parts."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Of a live: keep it, to have its recording at the end.")
    ] = False,
) -> None:
    """Play a video or a live in the browser or in a player."""
    api = session.api()
    live = find_live(session, api, what)
    if live is not None:
        _watch_live(session, api, live, player, save_frames, keep=keep)
        return
    if save_frames is not None or keep:
        raise NotFound(f"no live is called {what!r}: `headwater ls` lists those on air")
    video = videos.resolve(session, api, what)
    if player is Player.browser:
        url = f"{api.page}/watch/{video['id']}"
        is_opened = has_desktop() and open_page(url)
    else:
        url = f"{api.page}/v/{video['id']}/file"
        is_opened = has_desktop() and _play(player, url)
    session.answer({"video": video["id"], "url": url, "opened": is_opened})
    session.say(
        f"Playing {video['title']}: {url}"
        if is_opened
        else f"Open this to play {video['title']}: {url}"
    )


def _watch_live(
    session: Session, api: Api, live: Live, player: Player, folder: Path | None, *, keep: bool
) -> None:
    if keep:
        api.post(f"/api/v1/lives/{live['id']}/keep")
    if folder is not None:
        from headwater.cli.frames import save_frames

        session.say(f"Saving the pictures of {live['title']} in {folder} until Ctrl-C")
        count = save_frames(session, f"{api.page}{live['parts']}", folder)
        session.say(f"{count} pictures are in {folder}")
        return
    if player is Player.browser:
        url = f"{api.page}/live/{live['id']}"
        is_opened = has_desktop() and open_page(url)
    else:
        url = f"{api.page}{live['stream']}"
        is_opened = has_desktop() and _play(player, url)
    session.answer({"live": live["id"], "url": url, "opened": is_opened})
    told = f"Watching {live['title']}" if is_opened else f"Open this to watch {live['title']}"
    session.say(f"{told}: {url}")


def has_desktop() -> bool:
    """Whether something can be shown to a person on this machine."""
    return sys.platform == "darwin" or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def open_page(url: str) -> bool:
    import webbrowser

    return webbrowser.open(url)


def _play(player: Player, url: str) -> bool:
    """Start it on its own: it outlives this command. Raises: NotFound when it is not installed."""
    program = shutil.which(player)
    if program is None:
        raise NotFound(f"{player} is not installed: install it, or open {url} in any player")
    subprocess.Popen(
        [program, url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return True
