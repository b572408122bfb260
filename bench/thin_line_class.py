"""A publisher and a class, with a thin line between them.

`python -m bench.thin_line_class film|live VIEWERS BYTES_PER_S LINE_BYTES_PER_S` answers with what
the viewers saw, and ends.
"""

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.child import ROOT, say
from bench.classroom import SPREAD_S, watch
from bench.film import film
from bench.line import enter_namespace, open_end
from bench.live_nodes import Watcher, on_air
from bench.nodes import knows, linked, shares
from bench.thin_line import LIVE_BPS, SETTLED_S, WATCHED_S
from headwater.lab.cluster import Cluster, LabNode

HOME, SCHOOL = "10.213.0.1", "10.213.0.2"
DELAY_S = 0.01
QUEUE_BYTES = 128 * 1024


async def _main(what: str, count: int, bytes_per_s: float, line_bytes_per_s: int) -> None:
    path = film()
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        if what == "film":
            shutil.copy(path, name)
        async with Cluster() as cluster:
            # No thread before the class has its network: one that is there stays in the other.
            enter_namespace()
            home = open_end(HOME, SCHOOL)
            flags = ["--http", "0.0.0.0:0", "--lan", "--link-bind", f"{HOME}:0"]
            publisher = await cluster.start_node("publisher", folders=[Path(name)], flags=flags)
            enter_namespace()
            school = open_end(SCHOOL, HOME)
            shape = map(str, (home, school, line_bytes_per_s, DELAY_S, QUEUE_BYTES))
            line = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.line", *shape),
                pass_fds=(home, school),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            try:
                _seen_from_far(publisher)
                viewers = await _viewers(cluster, publisher, count)
                if what == "film":
                    say(await _see_film(publisher, viewers, bytes_per_s, line))
                else:
                    say(await _see_live(publisher, viewers))
            finally:
                assert line.stdin is not None
                line.stdin.close()
                await line.wait()


def _seen_from_far(publisher: LabNode) -> None:
    """Its page is asked for over the line."""
    publisher.page = f"http://{HOME}:{publisher.page.rpartition(':')[2]}"
    runtime = publisher.state / "runtime.json"
    runtime.write_text(json.dumps({**json.loads(runtime.read_bytes()), "http": publisher.page}))


async def _viewers(cluster: Cluster, publisher: LabNode, count: int) -> list[LabNode]:
    nodes: list[LabNode] = []
    for number in range(count):
        flags = ["--link-bind", f"{SCHOOL}:0"]
        joined = [publisher, *nodes]
        nodes.append(await cluster.start_node(f"viewer{number}", join=joined, flags=flags))
    for node in nodes:
        await linked(node, count)
    return nodes


async def _see_film(
    publisher: LabNode,
    viewers: Sequence[LabNode],
    bytes_per_s: float,
    line: asyncio.subprocess.Process,
) -> dict[str, Any]:
    [video] = await shares(publisher)
    for node in viewers:
        await knows(node, video["id"])
    before = await _carried_bytes(line)
    players = await asyncio.gather(*(watch(node, video["id"], bytes_per_s) for node in viewers))
    after = await _carried_bytes(line)
    return {
        "starts_s": [player.started_s for player in players],
        "stalls_s": [player.stalled_s for player in players],
        "egress": (after - before) / (WATCHED_S * bytes_per_s),
    }


async def _carried_bytes(line: asyncio.subprocess.Process) -> int:
    """To the class."""
    assert line.stdin is not None and line.stdout is not None
    line.stdin.write(b"carried\n")
    return int(json.loads(await line.stdout.readline())[0])


async def _see_live(publisher: LabNode, viewers: Sequence[LabNode]) -> dict[str, Any]:
    live = await on_air([publisher, *viewers], bitrate_bps=LIVE_BPS)
    watchers = [Watcher(node, live) for node in viewers]

    async def see(watcher: Watcher) -> None:
        await asyncio.sleep(random.Random(watcher.node.name).random() * SPREAD_S)
        await watcher.run()

    async with asyncio.TaskGroup() as group:
        seeing = [group.create_task(see(watcher)) for watcher in watchers]
        began_s = time.monotonic()
        await asyncio.sleep(WATCHED_S)
        for task in seeing:
            task.cancel()
    to_wall_s = time.time() - time.monotonic()
    settled_s = began_s + SETTLED_S
    delays, lost, settled_lost = [], [0, 0], [0, 0]
    for each in watchers:
        delays += [
            arrived_s + to_wall_s - each.taken_us[seq] / 1e6
            for seq, arrived_s in each.arrived.items()
            if arrived_s > settled_s
        ]
        later = [seq for seq, arrived_s in each.arrived.items() if arrived_s > settled_s]
        for seqs, tally in ((each.order, lost), (later, settled_lost)):
            if seqs:
                tally[0] += each.lost(min(seqs), max(seqs))
                tally[1] += max(seqs) - min(seqs)
    return {
        "delays_s": delays,
        "lost_percent": 100 * lost[0] / max(1, lost[1]),
        "settled_lost_percent": 100 * settled_lost[0] / max(1, settled_lost[1]),
    }


def main(words: Sequence[str]) -> None:
    what, count, bytes_per_s, line_bytes_per_s = words
    asyncio.run(_main(what, int(count), float(bytes_per_s), int(line_bytes_per_s)))


if __name__ == "__main__":
    main(sys.argv[1:])
