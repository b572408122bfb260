"""Videos as the commands name and list them."""

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.cli import units
from headwater.cli.client import Api
from headwater.cli.session import Session
from headwater.errors import LocalUsageError, NotFound, Unavailable

__all__ = ["MAX_OFFERED", "Video", "ask", "complete", "list_videos", "resolve"]

Video = Mapping[str, Any]
"""As the API describes one."""

MAX_OFFERED = 9


def list_videos(session: Session, found: Mapping[str, Any], *, none: str) -> None:
    """A table of one API answer; `none` says what to do when it is empty."""
    videos: Sequence[Video] = found["videos"]
    session.answer(found)
    if not videos:
        session.say(none)
        return
    session.table(("Title", ">Length", ">Size", "From", "Where"), [_row(video) for video in videos])
    if len(videos) < found["total"]:
        session.say(
            f"{len(videos)} of {found['total']}: --limit shows more, `headwater search WORDS` fewer"
        )


def _row(video: Video) -> tuple[str, ...]:
    length = units.duration(video["duration_s"]) if video["duration_s"] else "-"
    channel = "you" if video["channel"]["is_me"] else video["channel"]["name"]
    return video["title"], length, units.size(video["size_bytes"]), channel, _where(video)


def _where(video: Video) -> str:
    """`here, 2 machines`: this one first, then how many others have all of it or some."""
    if video["problem"]:
        return str(video["problem"])
    others = sum(not holder["is_me"] for holder in video["holders"])
    words = [f"{others} machine{'' if others == 1 else 's'}"] if others else []
    if video["state"] == "partial":
        words.insert(0, f"{100 * video['have_bytes'] // video['size_bytes']} % here")
    elif video["state"] in ("shared", "kept"):
        words.insert(0, "here")
    return ", ".join(words) or "nobody has it now"


def resolve(session: Session, api: Api, text: str) -> Video:
    """The one video that a person means. Raises: NotFound, LocalUsageError with those it can be."""
    videos: Sequence[Video] = api.get("/api/v1/resolve", text=text)["videos"]
    if not videos:
        raise NotFound(f"no video is called {text!r}: `headwater ls` lists those that there are")
    if len(videos) == 1:
        return videos[0]
    if session.is_interactive:
        return videos[ask(text, [_row(video) for video in videos[:MAX_OFFERED]])]
    offered = "; ".join(f"{video['title']} ({video['id'][:10]})" for video in videos[:MAX_OFFERED])
    raise LocalUsageError(
        f"{text!r} can mean {len(videos)} videos, say more of the title or the id: {offered}"
    )


def ask(text: str, rows: Sequence[Sequence[str]]) -> int:
    """Which of these a person means: its place."""
    import typer

    print(f"{text!r} can mean:")
    for number, row in enumerate(rows, 1):
        print(f"  {number}  {'  '.join(row)}")
    while True:
        answer: int = typer.prompt("Which one", type=int)
        if 1 <= answer <= len(rows):
            return answer - 1
        print(f"a number from 1 to {len(rows)}, please")


def complete(incomplete: str) -> list[str]:
    """Titles for the shell's completion; nothing when no node runs."""
    import os
    from pathlib import Path

    from headwater.cli.session import default_state

    state = Path(os.environ.get("HEADWATER_STATE") or default_state())
    try:
        found = Api.of_state(state).get("/api/v1/videos", q=incomplete, limit=20)
    except Unavailable:
        return []
    return [video["title"] for video in found["videos"]]
