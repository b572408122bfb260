"""What gossip keeps for one neighbour: its sync, what it may send, and what waits to be checked."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from headwater.catalog.rate import Allowance
from headwater.catalog.sync import Index, Sync, SyncResult
from headwater.errors import RemoteProtocolError
from headwater.wire.ids import NodeId
from headwater.wire.items import Signed
from headwater.wire.messages import Control

__all__ = ["Peer", "Session"]

PUSH_PER_S, PUSH_BURST = 1000.0, 2048.0
"""Items pushed to it unasked: half of what its outbox holds, if each is a message."""
TAKE_PER_S, TAKE_BURST = 2000.0, 16384.0
"""Items taken from it unasked: more than anybody pushes, and all node records at a meeting."""
REFUSE_PER_S, REFUSE_BURST = 200.0, 4096.0
"""Items beyond our bounds that it may send unasked: an honest one sends none, or few when the
bounds are reached."""
MAX_WAITING_BYTES = 9 * 1024 * 1024
"""Of items that wait to be checked: a full window of the largest. More is left to anti-entropy."""
MAX_BATCH = 128
"""Items checked and written in one go: about 20 ms, so that nobody waits long for the catalogue."""


class Peer(Protocol):
    """A neighbour, as far as gossip goes."""

    @property
    def node(self) -> NodeId: ...

    @property
    def signed(self) -> Signed:
        """Its own record, from its hello."""

    def send(self, message: Control, /) -> None: ...


class Session:
    """Belongs to the loop's thread."""

    def __init__(self, peer: Peer, index: Index, now: float) -> None:
        self.peer, self.sync = peer, Sync(index)
        self._push = Allowance(PUSH_PER_S, PUSH_BURST, now)
        self._take = Allowance(TAKE_PER_S, TAKE_BURST, now)
        self._refusals = Allowance(REFUSE_PER_S, REFUSE_BURST, now)
        self._waiting: deque[Signed] = deque()
        self.waiting_bytes = 0
        self.is_queued = False
        """A checker has it, or will have."""

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting)

    def send(self, result: SyncResult) -> None:
        for message in result.send:
            self.peer.send(message)
        self._take.grant(result.granted)

    def push(self, messages: Sequence[Control], count: int, now: float) -> bool:
        """Send these items unasked; False when that would be too many for now."""
        if not self._push.take(count, now):
            return False
        for message in messages:
            self.peer.send(message)
        return True

    def wait(self, items: Sequence[Signed], now: float) -> None:
        """They came and are to be checked. Raises: RemoteProtocolError when they are too many."""
        if not self._take.take(len(items), now):
            raise RemoteProtocolError(f"sends more than {TAKE_PER_S:.0f} items a second unasked")
        size = sum(len(s.body) for s in items)
        if self.waiting_bytes + size > MAX_WAITING_BYTES:
            self.sync.hurry(now)
            return
        self._waiting.extend(items)
        self.waiting_bytes += size

    def next_batch(self) -> list[Signed]:
        batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
        self.waiting_bytes -= sum(len(s.body) for s in batch)
        return batch

    def check_refusals(self, count: int, now: float) -> None:
        """So many more than it may. Raises: RemoteProtocolError when it goes on and on."""
        if not self._refusals.take(count, now):
            raise RemoteProtocolError("goes on sending items that nobody takes")
