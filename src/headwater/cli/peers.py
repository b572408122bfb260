"""`headwater peers`: the machines of the mesh."""

from collections.abc import Mapping
from typing import Any

from headwater.cli import units
from headwater.cli.session import Session

__all__ = ["peers"]


def peers(session: Session) -> None:
    """List the machines of the mesh."""
    found = session.api().get("/api/v1/peers")
    session.answer(found)
    if not found["peers"]:
        session.say(
            "Nobody yet: machines on this network appear by themselves, others with `up --join`."
        )
        return
    columns = ("Name", "Connected", ">Round trip", ">Videos", ">Down", ">Up")
    session.table(columns, [_row(peer) for peer in found["peers"]])


def _row(peer: Mapping[str, Any]) -> tuple[str, ...]:
    trip = f"{peer['rtt_ms']:.1f} ms" if peer["rtt_ms"] is not None else "-"
    path = peer["path"] if peer["connected"] else "no"
    rates = units.rate(peer["down_bytes_s"]), units.rate(peer["up_bytes_s"])
    return (peer["name"], path or "yes", trip, str(peer["videos"]), *rates)
