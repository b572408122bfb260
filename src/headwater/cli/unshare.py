"""`headwater unshare`: take something back."""

import os
from pathlib import Path
from typing import Annotated

import typer

from headwater.cli import videos
from headwater.cli.session import Session

__all__ = ["unshare"]


def unshare(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|FOLDER|NAME|LINK",
            help="What to take back.",
            autocompletion=videos.complete,
        ),
    ],
) -> None:
    """Take back a shared file, folder or video. Your own files stay as they are."""
    api = session.api()
    path = Path(os.path.abspath(what))
    shares = api.get("/api/v1/shares")
    known = {share["path"] for share in shares["shares"]} | set(shares["folders"])
    if path.exists() or str(path) in known:
        answer = api.delete("/api/v1/shares", {"path": str(path)})
        title = str(path)
    else:
        video = videos.resolve(session, api, what)
        answer = api.delete(f"/api/v1/videos/{video['id']}")
        title = video["title"]
    session.answer(answer or {})
    session.say(f"No longer shared: {title}")
