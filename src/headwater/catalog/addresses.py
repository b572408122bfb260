"""Where nodes were last heard of and what they are called: survives restarts, so that a node
finds its mesh again by itself and can name who is away."""

import json
import logging
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from headwater.catalog.schema import writing
from headwater.errors import StorageFull
from headwater.wire.ids import NodeId
from headwater.wire.items import Item, NodeRecord

__all__ = ["AddressBook"]

log = logging.getLogger(__name__)

REWRITE_MS = 3600 * 1000
"""Unchanged addresses are written again only after this long: a heartbeat costs no disk."""


@dataclass(frozen=True, slots=True)
class _Known:
    addresses: tuple[str, ...]
    name: str
    heard_ms: int

    def is_news_after(self, before: "_Known") -> bool:
        is_same = (self.addresses, self.name) == (before.addresses, before.name)
        return not is_same or self.heard_ms - before.heard_ms >= REWRITE_MS


class AddressBook:
    """Shape: the `bounds.addresses` nodes heard of last. Shares the writing connection and its
    lock."""

    def __init__(self, connection: sqlite3.Connection, lock: threading.Lock, limit: int) -> None:
        self._connection, self._lock, self._limit = connection, lock, limit
        self._known: dict[NodeId, _Known] = {
            NodeId(node): _Known(tuple(json.loads(addresses)), name, heard_ms)
            for node, addresses, name, heard_ms in connection.execute(
                "SELECT node, addresses, name, heard_ms FROM address ORDER BY heard_ms"
            )
        }  # the longest silent first

    def note(self, records: Iterable[Item], now_ms: int) -> None:
        """Remember where these nodes say they are."""
        for item in records:
            record = item.body
            if not isinstance(record, NodeRecord) or not record.addresses:
                continue
            new = _Known(record.addresses, record.name, now_ms)
            known = self._known.get(item.author)
            if known is None or new.is_news_after(known):
                with self._lock:
                    self._write(item.author, new)

    def all(self) -> list[tuple[NodeId, tuple[str, ...]]]:
        """The last heard first."""
        with self._lock:
            return [(node, known.addresses) for node, known in reversed(self._known.items())]

    def name(self, node: NodeId) -> str:
        """What it was called when it was last heard of; empty when it never was."""
        known = self._known.get(node)
        return known.name if known is not None else ""

    def _write(self, node: NodeId, new: "_Known") -> None:
        self._known.pop(node, None)
        self._known[node] = new
        oldest = next(iter(self._known)) if len(self._known) > self._limit else None
        if oldest is not None:
            del self._known[oldest]
        try:
            with writing():
                self._connection.execute(
                    "INSERT OR REPLACE INTO address (node, addresses, name, heard_ms)"
                    " VALUES (?, ?, ?, ?)",
                    (node, json.dumps(new.addresses), new.name, new.heard_ms),
                )
                self._connection.execute("DELETE FROM address WHERE node = ?", (oldest,))
        except StorageFull as error:  # known until the node ends, and heard again after that
            log.warning("catalog.address_not_kept", extra={"reason": str(error)})
