"""The torrents that were asked for lately, with the trees that their proofs come from."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from headwater.errors import RemoteProtocolError
from headwater.store.durable import read_if_there, replace_file
from headwater.store.torrent import Torrent
from headwater.transfer.proof import LayerTree

__all__ = ["Proofs", "Proven", "has_torrent", "save_torrent"]

MAX_LOADED = 16
"""A video of 100 GB takes about 3 MB here, most take a hundredth of that."""
_INFO, _LAYER = "info", "layer"


class Proven(NamedTuple):
    torrent: Torrent
    tree: LayerTree


class Proofs:
    """Shape: the MAX_LOADED most recently used, others are read from disk again. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loaded: OrderedDict[Path, Proven] = OrderedDict()

    def of(self, folder: Path) -> Proven | None:
        """None when the folder has no torrent, or a damaged one."""
        with self._lock:
            proven = self._loaded.get(folder)
            if proven is not None:
                self._loaded.move_to_end(folder)
                return proven
        info, layer = read_if_there(folder / _INFO), read_if_there(folder / _LAYER)
        if info is None or layer is None:
            return None
        try:
            torrent = Torrent.parse(info, layer)
        except RemoteProtocolError:
            return None
        return self.keep(folder, torrent)

    def keep(self, folder: Path, torrent: Torrent) -> Proven:
        proven = Proven(torrent, LayerTree(torrent.shape, torrent.layer))
        with self._lock:
            self._loaded[folder] = proven
            if len(self._loaded) > MAX_LOADED:
                self._loaded.popitem(last=False)
        return proven

    def forget(self, folder: Path) -> None:
        with self._lock:
            self._loaded.pop(folder, None)


def save_torrent(folder: Path, torrent: Torrent, *, on_disk: bool) -> None:
    """`on_disk` as for replace_file. Raises: OSError."""
    replace_file(folder / _LAYER, torrent.layer, on_disk=on_disk)
    replace_file(folder / _INFO, torrent.info, on_disk=on_disk)  # last: it says that both are there


def has_torrent(folder: Path) -> bool:
    return (folder / _INFO).exists()
