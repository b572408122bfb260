"""`headwater status`: how the node is."""

from pathlib import Path

from headwater.cli import units
from headwater.cli.jobs import ENDED
from headwater.cli.session import Session

__all__ = ["status"]

MAX_PROBLEMS = 10
"""Told one by one."""


def status(session: Session) -> None:
    """Tell how the node is, and what it is busy with."""
    api = session.api()
    told = api.get("/api/v1/status")
    jobs = [job for job in api.get("/api/v1/jobs")["jobs"] if job["phase"] not in ENDED]
    shares = api.get("/api/v1/shares")["shares"]
    problems = sorted((s for s in shares if s["problem"]), key=lambda s: bool(s["video"]))
    session.answer({**told, "jobs": jobs, "problems": problems})
    since = units.ago(told["uptime_s"])
    session.say(f"Node      {told['name']}, up for {since} (Headwater {told['version']})")
    session.say(f"Page      {told['page']}")
    session.say(f"Sharing   {', '.join(told['folders']) or 'no folder'}")
    session.say(f"Library   {told['videos']} videos, {told['peers']} machines connected")
    session.say(f"State     {told['state_dir']}")
    session.say(f"Owner     {api.owner_page}  (its token lets other machines change things)")
    for job in jobs:
        session.say(f"Busy      {job['phase']} {job['title']}")
    for share in problems[:MAX_PROBLEMS]:
        kind = "Note   " if share["video"] else "Problem"
        session.say(f"{kind}   {Path(share['path']).name}: {share['problem']}")
    if len(problems) > MAX_PROBLEMS:
        session.say(f"          and {len(problems) - MAX_PROBLEMS} more: --json tells all")
