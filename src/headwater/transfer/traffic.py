"""How much went to and came from each node, and at what rate now."""

import threading
from collections import deque
from dataclasses import dataclass, field

from headwater.wire.ids import NodeId

__all__ = ["Flow", "Traffic"]

WINDOW_S = 3.0


@dataclass(slots=True)
class Flow:
    """Bytes in one direction. Units: bytes, seconds by the caller's clock."""

    total_bytes: int = 0
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, size_bytes: int, now: float) -> None:
        self.total_bytes += size_bytes
        if self._recent and now - self._recent[-1][0] < 0.1:
            at, so_far = self._recent[-1]
            self._recent[-1] = (at, so_far + size_bytes)
        else:
            self._recent.append((now, size_bytes))
        self._forget(now)

    def rate_bytes_s(self, now: float) -> float:
        self._forget(now)
        return sum(size for _, size in self._recent) / WINDOW_S

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - WINDOW_S:
            self._recent.popleft()


class Traffic:
    """Flows by node. Shape: safe to add to from any thread; at most MAX_NODES are remembered."""

    MAX_NODES = 1024

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._up: dict[NodeId, Flow] = {}
        self._down: dict[NodeId, Flow] = {}
        self.up, self.down = Flow(), Flow()

    def sent(self, node: NodeId, size_bytes: int, now: float) -> None:
        with self._lock:
            self.up.add(size_bytes, now)
            self._flow(self._up, node).add(size_bytes, now)

    def received(self, node: NodeId, size_bytes: int, now: float) -> None:
        with self._lock:
            self.down.add(size_bytes, now)
            self._flow(self._down, node).add(size_bytes, now)

    def rates(self, node: NodeId, now: float) -> tuple[float, float]:
        """(up, down) of one node in bytes a second."""
        with self._lock:
            up, down = self._up.get(node), self._down.get(node)
            return (up.rate_bytes_s(now) if up else 0.0, down.rate_bytes_s(now) if down else 0.0)

    def totals(self, node: NodeId) -> tuple[int, int]:
        """(up, down) of one node in bytes."""
        with self._lock:
            up, down = self._up.get(node), self._down.get(node)
            return (up.total_bytes if up else 0, down.total_bytes if down else 0)

    def _flow(self, flows: dict[NodeId, Flow], node: NodeId) -> Flow:
        flow = flows.get(node)
        if flow is None:
            if len(flows) >= self.MAX_NODES:
                del flows[next(iter(flows))]
            flow = flows[node] = Flow()
        return flow
