"""`headwater ls`: the library."""

from typing import Annotated

import typer

from headwater.cli.lives import list_lives
from headwater.cli.session import Session
from headwater.cli.videos import list_videos

__all__ = ["ls"]


def ls(
    session: Session,
    here: Annotated[bool, typer.Option("--here", help="Only what lies on this machine.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
) -> None:
    """List what is on air, and the videos of the mesh, the newest first."""
    api = session.api()
    lives = [] if here else list_lives(session, api)
    if lives:
        session.say("")
    found = api.get("/api/v1/videos", scope="here" if here else "all", limit=limit)
    if found["videos"] or not lives:
        none = "Nothing here yet: share something with `headwater share FOLDER`."
        list_videos(session, {**found, "lives": lives}, none=none)
    else:
        session.answer({**found, "lives": lives})
