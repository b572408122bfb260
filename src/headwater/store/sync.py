"""Forces what was written to the disk a while later: against power cuts, not crashes."""

import logging
from collections.abc import Hashable
from threading import Event, Lock, Thread
from typing import Protocol

__all__ = ["Syncable", "Syncer"]

SYNC_INTERVAL_S = 15.0
"""What came in within it is at most hashed again after a power cut, so it need not be short."""

log = logging.getLogger(__name__)


class Syncable(Hashable, Protocol):
    def sync(self) -> None:
        """Raises: OSError."""


class Syncer:
    """One thread, started by the first note, ended by close."""

    def __init__(self, interval_s: float = SYNC_INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._lock = Lock()
        self._dirty: set[Syncable] = set()
        self._noted, self._closing = Event(), Event()
        self._thread: Thread | None = None

    def note(self, dirty: Syncable) -> None:
        """It was written to. Cheap: called for every write."""
        if dirty in self._dirty:
            return
        with self._lock:
            self._dirty.add(dirty)
            self._noted.set()
            if self._thread is None and not self._closing.is_set():
                self._thread = Thread(target=self._run, name="store.sync", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Sync what is dirty, now, and end."""
        self._closing.set()
        self._noted.set()
        if self._thread is not None:
            self._thread.join()
        self._sync_all()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._noted.wait()
            if not self._closing.wait(self._interval_s):
                self._sync_all()

    def _sync_all(self) -> None:
        with self._lock:
            dirty, self._dirty = self._dirty, set()
            self._noted.clear()
        for each in dirty:
            try:
                each.sync()
            except OSError as error:  # its claims stay unsynced: they are checked after a power cut
                log.warning("store.sync_failed", extra={"reason": str(error)})
