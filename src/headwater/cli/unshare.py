"""`headwater unshare`: take something back."""

import os
from pathlib import Path
from typing import Annotated

import typer

from headwater.cli import videos
from headwater.cli.client import Api
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
    delete_upload: Annotated[
        bool | None,
        typer.Option(
            "--delete-upload/--keep-upload",
            help="What becomes of a file that was uploaded to the node; kept unless you say so.",
        ),
    ] = None,
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
    for upload in (answer or {}).get("uploads", []):
        _settle(session, api, upload, delete_upload)


def _settle(session: Session, api: Api, upload: str, is_unwanted: bool | None) -> None:
    """It may be the only copy: it goes when the person says so, and not before."""
    session.say(f"The uploaded file is still on the node's machine: {upload}")
    if is_unwanted is None and session.is_interactive:
        is_unwanted = typer.confirm("Delete it as well?")
    if is_unwanted:
        api.delete("/api/v1/uploads", {"path": upload})
        session.say("It is deleted.")
