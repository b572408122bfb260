"""`headwater share`: a file or a folder for everybody in the mesh."""

import os
from pathlib import Path
from typing import Annotated

import typer

from headwater.cli.jobs import follow
from headwater.cli.session import Session
from headwater.errors import NotFound

__all__ = ["share"]


def share(
    session: Session,
    path: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="It stays where it is, unchanged.")
    ],
    prepare: Annotated[
        bool | None,
        typer.Option(
            "--prepare/--no-prepare", help="Make a copy that browsers can play where needed."
        ),
    ] = None,
) -> None:
    """Share a file, or a folder that is watched from now on."""
    path = Path(os.path.abspath(path))
    if not path.exists():
        raise NotFound(f"there is no file or folder {path}: check the path")
    body: dict[str, object] = {"path": str(path)}
    if prepare is not None:
        body["prepare"] = prepare
    api = session.api()
    jobs = follow(session, api, api.post("/api/v1/shares", body)["jobs"])
    session.answer({"jobs": jobs})
    if path.is_dir():
        session.say(f"Shared: {path}. What is put there from now on is shared as well.")
        for job in jobs:
            if job["error"]:
                session.say(f"{job['error']} (`headwater status`)")
        return
    session.say(f"Shared: {path.name}")
    for job in jobs:
        if job["video"]:
            session.say(f"headwater://video/{job['video']}")
