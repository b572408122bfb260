"""A whole file from node to node, against bare libtorrent and bare TLS; a thin uplink for three."""

import asyncio
import contextlib
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bench.child import child
from bench.nodes import knows, linked, sent_bytes, shares, throw_away, until
from bench.report import Options, Report, Targets
from headwater.lab.cluster import Cluster, LabNode

TARGETS: Targets = {
    "ratio_to_libtorrent": (">=", 1.5),
    "fanout3_time_ratio": ("<=", 1.35),
    "fanout3_egress_ratio": ("<=", 1.3),
}
ROUNDS = 5
FILE_BYTES = 1_000_000_000
FAN_ROUNDS = 3
FAN_BYTES = 200_000_000
FAN_LIMIT = 20_000_000
RECEIVERS = 3
FILE_NAME = "bulk.bin"
LIMIT_S = 120.0
LOOK_S = 0.005


async def measure(report: Report, options: Options) -> None:
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        folder = Path(name)
        if options.wants("pair"):
            await _pair(report, folder, options.count(ROUNDS))
        if options.wants("fanout3"):
            await _fanout(report, folder, options.count(FAN_ROUNDS))


# One to one.


async def _pair(report: Report, folder: Path, rounds: int) -> None:
    """Alternating rounds, each with a fresh receiver; the first of all three only warms up."""
    file = await asyncio.to_thread(_random_file, folder / "pair", FILE_BYTES)
    digest = await asyncio.to_thread(_digest, file)
    ours: list[float] = []
    theirs: list[float] = []
    bare: list[float] = []
    async with (
        _rival(file, folder) as (torrent, peer),
        child("bench.bare_tls", "serve", file, folder) as floor,
        Cluster() as cluster,
    ):
        port = (await floor.answer())["port"]
        source = await cluster.start_node("source", folders=[file.parent])
        [video] = await shares(source)
        for turn in range(rounds + 1):
            torrent_s = await _libtorrent(torrent, peer, folder / f"torrent{turn}", digest)
            bare_s = await _floor(folder, port, digest)
            got_s = await _ours(cluster, turn, source, video, digest)
            if turn:
                bare.append(FILE_BYTES / 1e6 / bare_s)
                ours.append(FILE_BYTES / 1e6 / got_s)
                theirs.append(FILE_BYTES / 1e6 / torrent_s)
        command_s = await _command(cluster, source, video)
    rate = statistics.median(ours)
    report.figure(
        "ratio_to_libtorrent",
        rate / statistics.median(theirs),
        [a / b for a, b in zip(ours, theirs, strict=True)],
        f"bare libtorrent, plaintext: {statistics.median(theirs):.0f} MB/s",
    )
    report.figure("mb_per_s", rate, ours, "as above")
    report.figure("floor_mb_per_s", statistics.median(bare), bare, "the same in Python, bare")
    report.figure(
        "ratio_to_floor",
        rate / statistics.median(bare),
        [a / b for a, b in zip(ours, bare, strict=True)],
        "TLS 1.3, a hash of every block, the disk: what two cores allow",
    )
    report.beside("libtorrent_mb_per_s", theirs)
    report.beside("headwater_get_s", [command_s])
    report.note("headwater_get_s: the command from its start to its end, Python's own included")


@contextlib.asynccontextmanager
async def _rival(file: Path, folder: Path) -> AsyncIterator[tuple[Path, str]]:
    """A libtorrent seed of the file: its torrent and its address."""
    torrent = folder / "pair.torrent"
    async with child("bench.bare_libtorrent", "seed", file, torrent) as seed:
        yield torrent, f"127.0.0.1:{(await seed.answer())['port']}"


async def _libtorrent(torrent: Path, peer: str, target: Path, digest: bytes) -> float:
    async with child("bench.bare_libtorrent", "leech", torrent) as leech:
        await leech.answer()
        seconds = float((await leech.ask("get", str(target), peer))["seconds"])
    await asyncio.to_thread(_check, target / FILE_NAME, digest)
    return seconds


async def _floor(folder: Path, port: int, digest: bytes) -> float:
    target = folder / "bare" / FILE_NAME
    target.parent.mkdir(exist_ok=True)
    async with child("bench.bare_tls", "fetch", folder, FILE_BYTES) as fetch:
        await fetch.answer()
        seconds = float((await fetch.ask("get", str(target), str(port)))["seconds"])
    await asyncio.to_thread(_check, target, digest)
    return seconds


async def _ours(cluster: Cluster, turn: int, source: LabNode, video: Any, digest: bytes) -> float:
    node = await cluster.start_node(f"receiver{turn}", join=[source])
    await knows(node, video["id"])
    await linked(node, 1)
    target = node.state.parent / f"got{turn}"
    target.mkdir()
    began_s = time.perf_counter()
    await asyncio.to_thread(_request, node, video, target)
    file = await _whole(target / video["file_name"], video["size_bytes"])
    seconds = time.perf_counter() - began_s
    await throw_away(node)
    await asyncio.to_thread(_check, file, digest)
    return seconds


async def _command(cluster: Cluster, source: LabNode, video: Any) -> float:
    """`headwater get` as a person has it."""
    node = await cluster.start_node("person", join=[source])
    await knows(node, video["id"])
    began_s = time.perf_counter()
    words = ("get", video["link"], "-o", str(node.state), "--state", str(node.state), "--quiet")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "headwater", *words)
    async with asyncio.timeout(LIMIT_S):
        code = await process.wait()
    if code:
        raise RuntimeError(f"headwater get ended with {code}")
    seconds = time.perf_counter() - began_s
    await throw_away(node)
    return seconds


# One to three.


async def _fanout(report: Report, folder: Path, rounds: int) -> None:
    """The source sends at most FAN_LIMIT; three ask for everything at once."""
    file = await asyncio.to_thread(_random_file, folder / "fan", FAN_BYTES)
    digest = await asyncio.to_thread(_digest, file)
    alone_s = FAN_BYTES / FAN_LIMIT
    times: list[float] = []
    sent: list[float] = []
    for _ in range(rounds):
        async with Cluster() as cluster:
            flags = ["--up-limit", str(FAN_LIMIT)]
            source = await cluster.start_node("source", folders=[file.parent], flags=flags)
            [video] = await shares(source)
            seconds, egress = await _spread(cluster, source, video, digest)
            times.append(seconds / alone_s)
            sent += [egress / FAN_BYTES] if egress is not None else []
    report.figure(
        "fanout3_time_ratio", statistics.median(times), times, f"one receiver alone: {alone_s:g} s"
    )
    if sent:
        report.figure("fanout3_egress_ratio", statistics.median(sent), sent, "the size of the file")


async def _spread(
    cluster: Cluster, source: LabNode, video: Any, digest: bytes
) -> tuple[float, float | None]:
    """Seconds until all have it, and what the source sent meanwhile in bytes."""
    receivers: list[LabNode] = []
    for number in range(RECEIVERS):
        joined = [source, *receivers]
        receivers.append(await cluster.start_node(f"receiver{number}", join=joined))
    targets = [node.state.parent / f"got-{node.name}" for node in receivers]
    for node, target in zip(receivers, targets, strict=True):
        await knows(node, video["id"])
        await linked(node, RECEIVERS)
        target.mkdir()
    before, began_s = await sent_bytes(source), time.perf_counter()

    async def one(node: LabNode, target: Path) -> None:
        await asyncio.to_thread(_request, node, video, target)
        await _whole(target / video["file_name"], video["size_bytes"])

    await asyncio.gather(*map(one, receivers, targets))
    seconds, after = time.perf_counter() - began_s, await sent_bytes(source)
    for target in targets:
        await asyncio.to_thread(_check, target / video["file_name"], digest)
    return seconds, None if before is None or after is None else after - before


# Files.


def _request(node: LabNode, video: Any, target: Path) -> None:
    node.api.post(f"/api/v1/videos/{video['id']}/get", {"directory": str(target)})


async def _whole(file: Path, size_bytes: int) -> Path:
    """Looks at the folder itself: a file appears there only when all of it is in and proven."""

    async def probe() -> bool:
        return await asyncio.to_thread(_size, file) == size_bytes

    await until(f"{file.name} is whole", probe, LIMIT_S, LOOK_S)
    return file


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else -1


def _check(file: Path, digest: bytes) -> None:
    """Raises: RuntimeError when it is not the file that was shared. The file is gone afterwards."""
    if _digest(file) != digest:
        raise RuntimeError(f"{file} is not what was shared")
    file.unlink()


def _digest(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def _random_file(folder: Path, size_bytes: int) -> Path:
    """Shape: a folder of its own, which a node can share."""
    folder.mkdir()
    path = folder / FILE_NAME
    with path.open("wb") as file:
        for start in range(0, size_bytes, 1 << 20):
            file.write(os.urandom(min(1 << 20, size_bytes - start)))
    return path
