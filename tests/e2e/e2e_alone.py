"""Run by itself in a network that is nothing but loopback: two nodes with their defaults."""

import asyncio
import sys
from pathlib import Path

from e2e_nodes import cli, holds, log_tails

from headwater.lab.cluster import Cluster


async def alone(folder: Path, flags: list[str]) -> None:
    defaults = ["--discovery", *(flags or ["--link-bind", "0.0.0.0:0"])]
    async with Cluster() as cluster:
        one = await cluster.start_node("one", folders=[folder], flags=defaults)
        other = await cluster.start_node("other", join=[one], flags=defaults)
        await holds(other, "alone")
        target = folder / "copy"
        target.mkdir()
        answer = await cli(other, "get", "alone", "-o", str(target))
        assert (answer.code, answer.errors) == (0, []), answer.errors
        assert (target / "alone.bin").read_bytes() == (folder / "alone.bin").read_bytes()
        for heading, text in log_tails(cluster):
            print(heading, text, file=sys.stderr)
            assert "Traceback" not in text
    print("the same")


if __name__ == "__main__":
    asyncio.run(alone(Path(sys.argv[1]), sys.argv[2:]))
