"""`headwater peers`: the machines of the mesh, and which of them are not wanted."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from headwater.cli import units
from headwater.cli.session import Session
from headwater.errors import LocalUsageError, NotFound

__all__ = ["peers"]

Peer = Mapping[str, Any]
"""As the API describes one."""

MIN_DIGITS = 6
"""Of an id: so many name a machine."""


def peers(
    session: Session,
    block: Annotated[
        str | None,
        typer.Option(metavar="NAME|ID", help="Make no link with this one, until --unblock."),
    ] = None,
    unblock: Annotated[
        str | None, typer.Option(metavar="NAME|ID", help="Let this one come back.")
    ] = None,
) -> None:
    """List the machines of the mesh; block one, or let it come back."""
    if block is not None and unblock is not None:
        raise LocalUsageError("either --block or --unblock, one at a time")
    api = session.api()
    found = api.get("/api/v1/peers")
    if block is not None:
        peer = _meant([each for each in found["peers"] if not each["blocked"]], block)
        api.put(f"/api/v1/peers/{peer['id']}/block")
        session.answer({"id": peer["id"], "blocked": True})
        session.say(f"Blocked: {_name(peer)}. `headwater peers --unblock` lets it come back.")
    elif unblock is not None:
        peer = _meant([each for each in found["peers"] if each["blocked"]], unblock)
        api.delete(f"/api/v1/peers/{peer['id']}/block")
        session.answer({"id": peer["id"], "blocked": False})
        session.say(f"No longer blocked: {_name(peer)}")
    else:
        _list(session, found)


def _list(session: Session, found: Mapping[str, Any]) -> None:
    session.answer(found)
    if not found["peers"]:
        session.say(
            "Nobody yet: machines on this network appear by themselves, others with `up --join`."
        )
        return
    columns = ("Name", "Connected", ">Round trip", ">Videos", ">Down", ">Up")
    session.table(columns, [_row(peer) for peer in found["peers"]])


def _meant(peers: Sequence[Peer], words: str) -> Peer:
    """The one that a person means. Raises: NotFound, LocalUsageError with all that it may be."""
    plain = words.strip().lower()
    for matches in (
        [peer for peer in peers if peer["name"].lower() == plain],
        [peer for peer in peers if len(plain) >= MIN_DIGITS and peer["id"].startswith(plain)],
        [peer for peer in peers if plain and plain in peer["name"].lower()],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            told = "\n".join(f"  {peer['id']}  {_name(peer)}" for peer in matches)
            raise LocalUsageError(f"{words!r} may be any of these, name it by its id:\n{told}")
    raise NotFound(f"no such machine is known: {words!r}; `headwater peers` lists them")


def _name(peer: Peer) -> str:
    return str(peer["name"] or peer["id"][:10])


def _row(peer: Peer) -> tuple[str, ...]:
    trip = f"{peer['rtt_ms']:.1f} ms" if peer["rtt_ms"] is not None else "-"
    path = peer["path"] if peer["connected"] else "blocked" if peer["blocked"] else "no"
    rates = units.rate(peer["down_bytes_s"]), units.rate(peer["up_bytes_s"])
    return (_name(peer), path or "yes", trip, str(peer["videos"]), *rates)
