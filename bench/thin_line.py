"""A class behind a thin line, of which nobody told the publisher: a film and a live. For root."""

import random
from typing import Any

from bench.child import child
from bench.film import DURATION_S, film
from bench.report import Options, Report, Targets, percentile

TARGETS: Targets = {
    "film_start_p95_s": ("<=", 4.0),
    "film_stalled_p95_s": ("<=", 0.5),
    "film_egress_ratio": ("<=", 3.0),
    "live_settled_lost_percent": ("<=", 0.5),
    "live_delay_p50_s": ("<=", 0.5),
    "live_delay_p95_s": ("<=", 1.0),
}

VIEWERS = 12
LINE_FILMS = 3
"""What the line carries at a time, in films or lives: a quarter of one for each viewer."""
LIVE_BPS = 2_000_000
WATCHED_S = 60
SETTLED_S = 10
"""By then the node has found out what its line carries."""


async def measure(report: Report, options: Options) -> None:
    viewers = options.count(VIEWERS)
    if options.wants("film"):
        path = film()
        found = await _class("film", viewers, path.stat().st_size / DURATION_S)
        starts, stalls = found["starts_s"], found["stalls_s"]
        about = f"{viewers} viewers, a line of {LINE_FILMS} films"
        report.figure("film_start_p95_s", percentile(starts, 0.95), starts, about)
        report.figure(
            "film_stalled_p95_s", percentile(stalls, 0.95), stalls, f"of {WATCHED_S} s watched"
        )
        report.figure("film_egress_ratio", found["egress"], (), "what one of them watches")
    if options.wants("live"):
        found = await _class("live", viewers, LIVE_BPS / 8)
        delays = found["delays_s"]
        some = random.Random(0).sample(delays, min(len(delays), 1000))
        report.figure("live_delay_p50_s", percentile(delays, 0.5), some, "made to arrived")
        report.figure("live_delay_p95_s", percentile(delays, 0.95), some)
        report.figure("live_lost_percent", found["lost_percent"], (), f"of {WATCHED_S} s")
        report.figure(
            "live_settled_lost_percent", found["settled_lost_percent"], (), f"after {SETTLED_S} s"
        )


async def _class(what: str, viewers: int, bytes_per_s: float) -> Any:
    """What the viewers saw: a process has them, since it moves to networks of its own."""
    line = round(LINE_FILMS * bytes_per_s)
    async with child("bench.thin_line_class", what, viewers, round(bytes_per_s), line) as program:
        return await program.answer(timeout_s=900)
