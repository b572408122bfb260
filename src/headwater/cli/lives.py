"""Lives as the commands name and list them."""

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.cli import units
from headwater.cli.client import Api
from headwater.cli.session import Session

__all__ = ["Live", "find_live", "list_lives"]

Live = Mapping[str, Any]
"""As the API describes one."""
LINK = "headwater://live/"
MIN_ID_DIGITS = 8


def list_lives(session: Session, api: Api) -> Sequence[Live]:
    """A table of what is on air; nothing where nothing is."""
    lives: Sequence[Live] = [
        live for live in api.get("/api/v1/lives")["lives"] if live["state"] != "ended"
    ]
    if lives:
        columns = ("On air", ">For", ">Viewers", ">Delay", "From")
        session.table(columns, [_row(live) for live in lives])
    return lives


def _row(live: Live) -> tuple[str, ...]:
    delay = f"{live['delay_s']:.1f} s" if live["delay_s"] is not None else "-"
    channel = "you" if live["is_mine"] else live["channel"]["name"]
    state = "" if live["state"] == "on" else " (waits for its source)"
    uptime = units.duration(live["uptime_s"])
    return live["title"] + state, uptime, str(live["viewers"]), delay, channel


def find_live(api: Api, text: str) -> Live | None:
    """The one live that a person means by its title or a part of it, id or link; None when it is
    none, or several."""
    wanted = text.removeprefix(LINK).casefold()
    lives: Sequence[Live] = api.get("/api/v1/lives")["lives"]
    exact = [live for live in lives if wanted in (live["id"], live["title"].casefold())]
    is_id = len(wanted) >= MIN_ID_DIGITS
    near = [
        live
        for live in lives
        if wanted in live["title"].casefold() or (is_id and live["id"].startswith(wanted))
    ]
    found = exact or [live for live in near if live["state"] != "ended"]
    return found[0] if len(found) == 1 else None
