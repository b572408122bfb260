"""A bare libtorrent reader with deadlines behind a range server: what our seeks are compared with.

`python -m bench.libtorrent_reader TORRENT DIRECTORY HOST:PORT` fetches from that seed. What was
found to serve a player best: sequential download plus a rolling window of at most 32 deadlines, all
of them cleared first at a seek, and pieces taken from read_piece, never from the file. Nothing
outside the window is wanted: else the whole film would be here before the second seek.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import libtorrent as lt

from bench.bare_libtorrent import Session
from bench.child import say, stdin_closes
from bench.range_server import serving

__all__ = ["TorrentContent"]

WINDOW_PIECES = 32
FIRST_DEADLINE_MS, STEP_MS = 10, 20


class TorrentContent:
    """A torrent's one file as a range server's content. The newest range moves the window."""

    def __init__(self, session: Session, handle: Any) -> None:
        """`handle` wants nothing yet."""
        self._session, self._handle = session, handle
        shape = handle.torrent_file()
        self.size_bytes = int(shape.total_size())
        self._piece_bytes, self._pieces = int(shape.piece_length()), int(shape.num_pieces())
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._wanted: set[int] = set()
        handle.set_flags(lt.torrent_flags.sequential_download)
        self._bell, ring = os.pipe()
        os.set_blocking(self._bell, False)
        session.session.set_alert_fd(ring)
        asyncio.get_running_loop().add_reader(self._bell, self._hear)

    async def send(self, start: int, end: int, writer: asyncio.StreamWriter) -> None:
        self._handle.clear_piece_deadlines()
        for piece in self._wanted:
            self._handle.piece_priority(piece, 0)
        self._wanted.clear()
        at = start
        while at < end:
            piece = at // self._piece_bytes
            payload = await self._read(piece)
            part = payload[at - piece * self._piece_bytes :][: end - at]
            writer.write(part)
            await writer.drain()
            at += len(part)

    async def _read(self, piece: int) -> bytes:
        arrival = self._waiting.get(piece)
        if arrival is None:
            arrival = self._waiting[piece] = asyncio.get_running_loop().create_future()
        for ahead in range(min(WINDOW_PIECES, self._pieces - piece)):
            wanted, deadline_ms = piece + ahead, FIRST_DEADLINE_MS + ahead * STEP_MS
            if ahead == 0:
                told = lt.deadline_flags_t.alert_when_available
                self._handle.set_piece_deadline(wanted, deadline_ms, told)
            elif wanted not in self._wanted:
                self._handle.set_piece_deadline(wanted, deadline_ms)  # makes it wanted as well
            self._wanted.add(wanted)
        async with asyncio.timeout(60):
            return await asyncio.shield(arrival)

    def _hear(self) -> None:
        os.read(self._bell, 65536)
        for alert in self._session.session.pop_alerts():
            if isinstance(alert, lt.read_piece_alert):
                piece, payload = int(alert.piece), bytes(alert.buffer or b"")
                arrival = self._waiting.pop(piece, None)
                if arrival is None or arrival.done():
                    continue
                if payload:
                    arrival.set_result(payload)
                else:
                    arrival.set_exception(ConnectionError("the piece could not be read"))


async def _serve(torrent: Path, folder: Path, peer: str) -> None:
    session = Session()
    handle = session.add(
        await asyncio.to_thread(torrent.read_bytes), folder, peer=peer, wanting=False
    )
    async with serving(TorrentContent(session, handle)) as page:
        say({"page": page})
        await stdin_closes()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
