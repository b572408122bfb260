"""`headwater lab`: a mesh of several nodes on this one machine."""

import os
from collections.abc import Sequence
from dataclasses import replace
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
    topology: Annotated[
        str,
        typer.Option(metavar="auto|chain|tree|star|FILE", help="Who may neighbour whom."),
    ] = "auto",
    live: Annotated[
        str, typer.Option(metavar="SOURCE", help="The first node goes on air: test:, a file, ...")
    ] = "",
    kill_every: Annotated[
        float, typer.Option(metavar="SECONDS", help="Kill a node so often; it comes back.", min=0)
    ] = 0,
    slow: Annotated[str, typer.Option(metavar="NODE", help="It sends slowly: node-2.")] = "",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Try it out: real nodes on this machine until Ctrl-C, which leaves nothing behind."""
    import asyncio

    from headwater.lab.lab import Plan, run_lab, sample_folder

    if folder is not None and not folder.is_dir():
        raise NotFound(f"there is no folder {folder}: check the path")
    plan = Plan(
        nodes=nodes,
        topology=topology,
        folder=Path(os.path.abspath(folder)) if folder else None,
        live=live,
        kill_every_s=kill_every,
        slow=slow,
    )
    plan.check()  # before the samples, which take their time
    if folder is None and not live:
        with bar(session, "Making sample videos") as report:
            plan = replace(plan, folder=sample_folder(report))

    def tell(ready: "Sequence[LabNode]", page: str) -> None:
        _tell(session, ready, page, is_live=bool(live))
        if browser and has_desktop():
            open_page(page if live else ready[-1].page)

    asyncio.run(run_lab(plan, tell))
    session.say("Ended; nothing is left running.")


def _tell(session: Session, nodes: "Sequence[LabNode]", page: str, *, is_live: bool) -> None:
    for node in nodes:
        session.answer({"event": "ready", "name": node.name, "page": node.page, "pid": node.pid})
        part = "is on air" if is_live else "shares the videos"
        sharing = f"  {part}" if node is nodes[0] else ""
        session.say(f"{node.name}  {node.page}{sharing}")
    session.answer({"event": "lab", "page": page})
    session.say(f"The lab itself: {page}")
    if is_live:
        session.say(
            "Watch on any node; kill, freeze, slow and forge on the lab's page. Ctrl-C ends all."
        )
    elif len(nodes) > 1:
        first, last = nodes[0], nodes[-1]
        session.say(f"Open {last.page} and play something: it comes from {first.name}, at once.")
        session.say(f"Play it on another node too, then `kill {first.pid}`. Ctrl-C ends all.")
