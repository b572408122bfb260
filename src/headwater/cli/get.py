"""`headwater get`: a copy of a video as a file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from headwater.cli import units, videos
from headwater.cli.jobs import follow
from headwater.cli.session import Session

__all__ = ["get"]


def get(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|LINK",
            help="Part of its title, or its link.",
            autocompletion=videos.complete,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where to put it.")
    ] = Path(),
) -> None:
    """Fetch a whole video and put it into a folder."""
    api = session.api()
    video = videos.resolve(session, api, what)
    directory = os.path.abspath(output)
    job = api.post(f"/api/v1/videos/{video['id']}/get", {"directory": directory})
    follow(session, api, [job])
    session.answer({"video": video["id"], "path": os.path.join(directory, video["file_name"])})
    session.say(f"Got {video['file_name']} ({units.size(video['size_bytes'])}) in {directory}")
