"""`headwater lab`: a mesh of several nodes on this one machine."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.jobs import bar
from headwater.cli.session import Session
from headwater.cli.watch import has_desktop, open_page
from headwater.errors import NotFound

if TYPE_CHECKING:
    from headwater.lab.cluster import LabNode

__all__ = ["lab"]


def lab(
    session: Session,
    nodes: Annotated[int, typer.Option(help="How many nodes.")] = 3,
    folder: Annotated[
        Path | None,
        typer.Option(help="What the first one shares; without it sample videos are made."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the last node's page.")
    ] = True,
) -> None:
    """Try it out: real nodes on this machine until Ctrl-C, which leaves nothing behind."""
    import asyncio

    from headwater.lab.lab import run_lab, sample_folder

    if folder is None:
        with bar(session, "Making sample videos") as report:
            folder = sample_folder(report)
    elif not folder.is_dir():
        raise NotFound(f"there is no folder {folder}: check the path")

    def tell(ready: "Sequence[LabNode]") -> None:
        _tell(session, ready)
        if browser and has_desktop():
            open_page(ready[-1].page)

    asyncio.run(run_lab(nodes, Path(os.path.abspath(folder)), tell))
    session.say("Ended; nothing is left running.")


def _tell(session: Session, nodes: "Sequence[LabNode]") -> None:
    for node in nodes:
        session.answer({"event": "ready", "name": node.name, "page": node.page, "pid": node.pid})
        sharing = "  shares the videos" if node is nodes[0] else ""
        session.say(f"{node.name}  {node.page}{sharing}")
    if len(nodes) > 1:
        first, last = nodes[0], nodes[-1]
        session.say(f"Open {last.page} and play something: it comes from {first.name}, at once.")
        session.say(f"Play it on another node too, then `kill {first.pid}`. Ctrl-C ends all.")
