"""Two bare libtorrent sessions, plaintext, as fast as they go: what a copy has to beat.

`python -m bench.bare_libtorrent seed FILE TORRENT [PIECE]` writes the torrent and says its port;
`... leech TORRENT` answers each `get DIRECTORY HOST:PORT` with the seconds until the file is whole.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import libtorrent as lt

from bench.child import say, stdin_closes, told

__all__ = ["Session", "make_torrent"]

PIECE_BYTES = 1024 * 1024
SETTINGS = {
    "listen_interfaces": "127.0.0.1:0",
    "alert_mask": lt.alert.category_t.status_notification
    | lt.alert.category_t.storage_notification
    | lt.alert.category_t.piece_progress_notification,
    "alert_queue_size": 100_000,
    # plaintext TCP, and nothing that goes out to look for others
    "in_enc_policy": 2,
    "out_enc_policy": 2,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    # what its own high_performance_seed and our measurements found to help between two machines
    "allow_multiple_connections_per_ip": True,
    "close_redundant_connections": False,
    "tick_interval": 100,
    "unchoke_slots_limit": -1,
    "send_buffer_watermark": 3 * 1024 * 1024,
    "send_buffer_low_watermark": 512 * 1024,
    "send_buffer_watermark_factor": 150,
    "max_out_request_queue": 1500,
    "max_allowed_in_request_queue": 2000,
    "request_queue_time": 1,
    "hashing_threads": 2,
    "aio_threads": 4,
    "no_atime_storage": True,
}


def make_torrent(file: Path, piece_bytes: int) -> bytes:
    """A v1 torrent of one file: of the three kinds the one that libtorrent is fastest with."""
    made = lt.create_torrent(lt.list_files(str(file)), piece_bytes, lt.create_torrent.v1_only)
    lt.set_piece_hashes(made, str(file.parent))
    return bytes(lt.bencode(made.generate()))


class Session:
    """A libtorrent session that sleeps until it has something to tell."""

    def __init__(self) -> None:
        self.session = lt.session(cast(Any, SETTINGS))

    @property
    def port(self) -> int:
        return int(self.session.listen_port())

    def add(
        self,
        torrent: bytes,
        folder: Path,
        *,
        seeding: bool = False,
        peer: str = "",
        wanting: bool = True,
    ) -> Any:
        """The torrent's handle, running. `wanting`: all of it, else nothing for now."""
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent)
        params.save_path = str(folder)
        params.flags |= lt.torrent_flags.seed_mode if seeding else lt.torrent_flags.default_flags
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        if not wanting:
            params.piece_priorities = [0] * params.ti.num_pieces()
        if peer:
            host, _, port = peer.rpartition(":")
            params.peers = [(host, int(port))]
        return self.session.add_torrent(params)

    def alerts(self, timeout_s: float) -> Iterator[Any]:
        """What happens from now on, in order. Raises: TimeoutError."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            self.session.wait_for_alert(1000)
            yield from self.session.pop_alerts()
        raise TimeoutError(f"libtorrent did not finish in {timeout_s} s")


def _get(session: Session, torrent: bytes, folder: Path, peer: str) -> float:
    """Seconds from adding the torrent until its file is whole and written."""
    folder.mkdir()
    began_s = time.perf_counter()
    handle = session.add(torrent, folder, peer=peer)
    for alert in session.alerts(120):
        if isinstance(alert, lt.torrent_finished_alert):
            handle.flush_cache()
        elif isinstance(alert, lt.cache_flushed_alert):
            if handle.status().is_finished:
                break
        elif isinstance(alert, lt.torrent_error_alert | lt.file_error_alert):
            raise OSError(alert.message())
    seconds = time.perf_counter() - began_s
    session.session.remove_torrent(handle)
    return seconds


def _seed(file: Path, torrent_file: Path, piece_bytes: int) -> None:
    torrent = make_torrent(file, piece_bytes)
    torrent_file.write_bytes(torrent)
    session = Session()
    session.add(torrent, file.parent, seeding=True)
    say({"port": session.port})
    asyncio.run(stdin_closes())


def _leech(torrent_file: Path) -> None:
    torrent, session = torrent_file.read_bytes(), Session()
    say({"port": session.port})
    while (words := told()) is not None:
        say({"seconds": _get(session, torrent, Path(words[1]), words[2])})


if __name__ == "__main__":
    if sys.argv[1] == "seed":
        wanted = int(sys.argv[4]) if len(sys.argv) > 4 else PIECE_BYTES
        _seed(Path(sys.argv[2]), Path(sys.argv[3]), wanted)
    else:
        _leech(Path(sys.argv[2]))
