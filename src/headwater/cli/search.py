"""`headwater search`: the library, by words."""

from typing import Annotated

import typer

from headwater.cli.session import Session
from headwater.cli.videos import list_videos

__all__ = ["search"]


def search(
    session: Session,
    words: Annotated[list[str], typer.Argument(help="Words of the title, beginnings will do.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """Find videos of the mesh by words."""
    text = " ".join(words)
    found = session.api().get("/api/v1/videos", q=text, limit=limit)
    list_videos(
        session, found, none=f"No video with {text!r}: try fewer letters, or `headwater ls`."
    )
