"""Lives as the commands name and list them."""

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.cli import units
from headwater.cli.client import Api
from headwater.cli.session import Session
from headwater.cli.videos import MAX_OFFERED, ask
from headwater.errors import LocalUsageError

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


def find_live(session: Session, api: Api, text: str) -> Live | None:
    """The one live that a person means by its title or a part of it, id or link; None when there
    is none: one that has ended counts only by its whole id. Raises: LocalUsageError with those it
    can be."""
    wanted = text.removeprefix(LINK).casefold()
    lives: Sequence[Live] = api.get("/api/v1/lives")["lives"]
    on_air = [live for live in lives if live["state"] != "ended"]
    found = (
        [live for live in lives if live["id"] == wanted]
        or [live for live in on_air if live["title"].casefold() == wanted]
        or [live for live in on_air if _is_meant(live, wanted)]
    )
    if len(found) < 2:
        return found[0] if found else None
    found = found[:MAX_OFFERED]
    if session.is_interactive:
        return found[ask(text, [(*_row(live), live["id"][:10]) for live in found])]
    offered = "; ".join(f"{live['title']} ({live['id'][:10]})" for live in found)
    raise LocalUsageError(
        f"{text!r} can mean {len(found)} lives, say more of the title or the id: {offered}"
    )


def _is_meant(live: Live, wanted: str) -> bool:
    is_id = len(wanted) >= MIN_ID_DIGITS
    return wanted in live["title"].casefold() or (is_id and live["id"].startswith(wanted))
