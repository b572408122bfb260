"""`headwater ls`: the library."""

from typing import Annotated

import typer

from headwater.cli.session import Session
from headwater.cli.videos import list_videos

__all__ = ["ls"]


def ls(
    session: Session,
    here: Annotated[bool, typer.Option("--here", help="Only what lies on this machine.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
) -> None:
    """List the videos of the mesh, the newest first."""
    found = session.api().get("/api/v1/videos", scope="here" if here else "all", limit=limit)
    list_videos(
        session, found, none="Nothing here yet: share something with `headwater share FOLDER`."
    )
