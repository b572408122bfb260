"""`headwater relay`: run a node that only carries."""

from pathlib import Path
from typing import Annotated

import typer

from headwater.cli.session import Session
from headwater.cli.up import up

__all__ = ["relay"]


def relay(
    session: Session,
    name: Annotated[str | None, typer.Option(help="What people call this node.")] = None,
    join: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT|LINK", help="A node's page or invitation; may be repeated."
        ),
    ] = None,
    max_peers: Annotated[int | None, typer.Option(help="Nodes connected at once.")] = None,
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to serve the page.")
    ] = None,
    up_limit: Annotated[
        str | None, typer.Option(metavar="RATE", help="Bytes a second to send at most: 20MB, 500k.")
    ] = None,
    discovery: Annotated[
        bool | None,
        typer.Option("--discovery/--no-discovery", help="Find nodes on the local network."),
    ] = None,
    topology: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who may neighbour whom (docs/guide.md); needs --name."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A settings file (see docs/headwater.toml).")
    ] = None,
) -> None:
    """Run a node that shares nothing and passes on every live of the mesh, until Ctrl-C."""
    up(
        session,
        name=name,
        join=join,
        max_peers=max_peers,
        http=http,
        up_limit=up_limit,
        discovery=discovery,
        topology=topology,
        carry=True,
        config=config,
    )
