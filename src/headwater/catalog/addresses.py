"""Where nodes were last heard of: survives restarts, so that a node finds its mesh again by
itself."""

import json
import sqlite3
import threading
from collections.abc import Iterable

from headwater.wire.ids import NodeId
from headwater.wire.items import Item, NodeRecord

__all__ = ["AddressBook"]

REWRITE_MS = 3600 * 1000
"""Unchanged addresses are written again only after this long: a heartbeat costs no disk."""


class AddressBook:
    """Shape: the `bounds.addresses` nodes heard of last. Shares the writing connection and its
    lock."""

    def __init__(self, connection: sqlite3.Connection, lock: threading.Lock, limit: int) -> None:
        self._connection, self._lock, self._limit = connection, lock, limit
        self._known: dict[NodeId, tuple[tuple[str, ...], int]] = {
            NodeId(node): (tuple(json.loads(addresses)), heard_ms)
            for node, addresses, heard_ms in connection.execute(
                "SELECT node, addresses, heard_ms FROM address ORDER BY heard_ms"
            )
        }  # the longest silent first

    def note(self, records: Iterable[Item], now_ms: int) -> None:
        """Remember where these nodes say they are."""
        for item in records:
            addresses = item.body.addresses if isinstance(item.body, NodeRecord) else ()
            known = self._known.get(item.author, ((), 0))
            if addresses and (known[0] != addresses or now_ms - known[1] >= REWRITE_MS):
                with self._lock:
                    self._write(item.author, addresses, now_ms)

    def all(self) -> list[tuple[NodeId, tuple[str, ...]]]:
        """The last heard first."""
        with self._lock:
            return [(node, addresses) for node, (addresses, _) in reversed(self._known.items())]

    def _write(self, node: NodeId, addresses: tuple[str, ...], now_ms: int) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO address VALUES (?, ?, ?)", (node, json.dumps(addresses), now_ms)
        )
        self._known.pop(node, None)
        self._known[node] = (addresses, now_ms)
        while len(self._known) > self._limit:
            oldest = next(iter(self._known))
            self._connection.execute("DELETE FROM address WHERE node = ?", (oldest,))
            del self._known[oldest]
