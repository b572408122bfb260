"""`headwater up`: run a node until Ctrl-C."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.session import Session
from headwater.errors import LocalUsageError

if TYPE_CHECKING:
    from headwater.node.config import Config

__all__ = ["up"]

CONFIG_NAME = "headwater.toml"


def up(
    session: Session,
    folders: Annotated[
        list[Path] | None,
        # Not checked here: all that is wrong with any of them is told at once.
        typer.Argument(
            metavar="[FOLDER]...", help="Folders to share and to watch.", readable=False
        ),
    ] = None,
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
    lan: Annotated[
        bool | None, typer.Option("--lan/--no-lan", help="Serve the page to the local network.")
    ] = None,
    up_limit: Annotated[
        str | None, typer.Option(metavar="RATE", help="Bytes a second to send at most: 20MB, 500k.")
    ] = None,
    down_limit: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Bytes a second to receive at most: 20MB, 500k."),
    ] = None,
    discovery: Annotated[
        bool | None,
        typer.Option("--discovery/--no-discovery", help="Find nodes on the local network."),
    ] = None,
    prepare: Annotated[
        bool | None,
        typer.Option(
            "--prepare/--no-prepare", help="Make a copy that browsers can play where needed."
        ),
    ] = None,
    carry: Annotated[
        bool | None,
        typer.Option(
            "--carry/--no-carry",
            help="Pass on every live, watched here or not. With --topology it does.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A settings file (see docs/headwater.toml).")
    ] = None,
    topology: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who may neighbour whom (docs/guide.md); needs --name."),
    ] = None,
    link_bind: Annotated[str | None, typer.Option(hidden=True)] = None,
    link_delay_ms: Annotated[float | None, typer.Option(hidden=True)] = None,
    discovery_interface: Annotated[str | None, typer.Option(hidden=True)] = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run a node: share the folders, serve the page, until Ctrl-C."""
    from headwater.cli import settings
    from headwater.cli.lock import state_lock

    asked = settings.load(
        state=session.state,
        file=_settings_file(config),
        environment=os.environ,
        flags={
            "folders": ("FOLDER", folders),
            "name": ("--name", name),
            "discovery.join": ("--join", join),
            "link.max_peers": ("--max-peers", max_peers),
            "web.http": ("--http", http),
            "web.lan": ("--lan", lan),
            "limits.up_bytes_per_s": ("--up-limit", up_limit),
            "limits.down_bytes_per_s": ("--down-limit", down_limit),
            "discovery.lan": ("--discovery", discovery),
            "prepare": ("--prepare", None if prepare is None else "auto" if prepare else "never"),
            "link.bind": ("--link-bind", link_bind),
            "link.delay_ms": ("--link-delay-ms", link_delay_ms),
            **_place(topology, name),
            **({} if carry is None else {"live.carry_all": ("--carry", carry)}),
            "discovery.interface": ("--discovery-interface", discovery_interface),
        },
    )
    _check_folders(asked)
    parent = _stdin() if until_stdin_closes else None
    with state_lock(session.state):
        from headwater.cli.running import run_node  # takes a second: not for a refusal

        run_node(session, asked, parent)


def _place(file: Path | None, name: str | None) -> dict[str, tuple[str, object]]:
    """The link settings that a topology has for this node. Raises: LocalUsageError."""
    if file is None:
        return {}
    from headwater.link.topology import read_topology

    topology = read_topology(file)
    if name is None or name not in topology.places:
        raise LocalUsageError(
            f"{file} has no node called {name!r}: --name takes one of {', '.join(topology.names)}"
        )
    place = topology.places[name]
    shape: dict[str, object] = {
        "link.only": sorted(topology.neighbours(name)) or [name],
        "link.up_bytes_per_s": place.bytes_per_s or None,
        "link.delay_ms": place.delay_ms or None,
        "link.loss_percent": place.loss_percent or None,
        "live.carry_all": True,  # nobody gets a live around those who lie between
    }
    return {key: ("--topology", value) for key, value in shape.items()}


def _stdin() -> int:
    """Raises: LocalUsageError where nobody could hold its other end open."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        mode = 0
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0):
        return 0
    raise LocalUsageError(
        "--until-stdin-closes: standard input is no pipe, so nobody can close it; start this"
        " from a program that holds the other end, or leave the flag out"
    )


def _settings_file(asked: Path | None) -> Path | None:
    """What --config or HEADWATER_CONFIG names, else the usual place where something lies there."""
    named = asked or os.environ.get("HEADWATER_CONFIG")
    if named:
        return Path(named)
    import platformdirs

    usual = platformdirs.user_config_path("headwater", appauthor=False) / CONFIG_NAME
    return usual if usual.exists() else None


def _check_folders(config: "Config") -> None:
    """Raises: LocalUsageError with a line for each folder that cannot be shared."""
    problems = []
    for folder in config.folders:
        if folder.is_file():
            problems.append(
                f"{folder} is a file: share its folder, or the file with `headwater share`"
            )
        elif not folder.is_dir():
            problems.append(f"there is no folder {folder}: check the path")
        elif not os.access(folder, os.R_OK | os.X_OK):
            problems.append(f"the folder {folder} may not be read by you: change its permissions")
    if problems:
        raise LocalUsageError("\n".join(problems))
