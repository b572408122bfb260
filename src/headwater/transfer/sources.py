"""What the schedule knows of a node that may have blocks: which, how fast, how reliable. Pure."""

from dataclasses import dataclass, field

from headwater.store.shape import VideoShape
from headwater.transfer.traffic import Flow
from headwater.wire.ids import BLOCK_BYTES, NodeId

__all__ = ["Source"]

FIRST_RATE_BYTES_S = 5_000_000.0
"""Believed of a node that has not answered yet: worth a try, and soon doubted."""
FIRST_LATENCY_S = 0.010
WEIGHT = 0.3
MAX_STRIKES = 8
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0


@dataclass(slots=True, eq=False)
class Source:
    """One node as a source of one video. Units: bytes, seconds by the caller's clock."""

    node: NodeId
    shape: VideoShape
    latency_s: float = FIRST_LATENCY_S
    rate_bytes_s: float = FIRST_RATE_BYTES_S
    is_proven: bool = False
    is_whole: bool = False
    queued_bytes: int = 0
    flow: Flow = field(default_factory=Flow)
    strikes: int = 0
    """Failures since it last delivered."""
    paused_until: float = 0.0
    _pieces: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self._pieces = bytearray(self.shape.pieces)

    def add_pieces(self, first_piece: int, bits: bytes) -> list[int]:
        """Note what it says it has; returns the pieces that are new."""
        new = []
        for offset, byte in enumerate(bits):
            if not byte:
                continue
            for bit in range(8):
                piece = first_piece + 8 * offset + bit
                if byte & (0x80 >> bit) and piece < len(self._pieces) and not self._pieces[piece]:
                    self._pieces[piece] = 1
                    new.append(piece)
        return new

    def has_piece(self, piece: int) -> bool:
        return self.is_whole or bool(self._pieces[piece])

    def has_some(self, first: int, count: int) -> bool:
        """Whether it has any piece of these blocks."""
        last = self.shape.piece_of(first + count - 1)
        return self.is_whole or any(self._pieces[self.shape.piece_of(first) : last + 1])

    def lacks(self, first: int, count: int) -> None:
        """It refused these blocks: believe its word that it does not have their pieces."""
        if self.is_whole:
            self.is_whole = False
            self._pieces = bytearray(b"\1") * self.shape.pieces
        for piece in range(self.shape.piece_of(first), self.shape.piece_of(first + count - 1) + 1):
            self._pieces[piece] = 0

    def run_from(self, first: int, limit: int) -> int:
        """How many blocks from `first` on it can serve in one request, at most `limit`."""
        if self.is_whole:
            return limit
        piece = self.shape.piece_of(first)
        last = self.shape.piece_of(first + limit - 1)
        while piece <= last and self._pieces[piece]:
            piece += 1
        return max(0, min(limit, piece * self.shape.blocks_per_piece - first))

    def expected_s(self, size_bytes: int) -> float:
        """When a request made now would be answered, seconds from now; doubtful after failures."""
        answer_s = self.latency_s + (self.queued_bytes + size_bytes) / self.rate_bytes_s
        return (1 + self.strikes) * answer_s

    def is_usable(self, now: float) -> bool:
        return self.paused_until <= now

    def asked(self, size_bytes: int) -> None:
        self.queued_bytes += size_bytes

    def delivered(self, size_bytes: int, elapsed_s: float, queued_then: int, now: float) -> None:
        """Learn from an answer; `queued_then` is what it owed us when asked, this included."""
        self.queued_bytes -= size_bytes
        self.flow.add(size_bytes, now)
        self.strikes, self.paused_until = 0, 0.0
        if size_bytes <= 4 * BLOCK_BYTES:
            head = max(
                0.0005, elapsed_s - (queued_then / self.rate_bytes_s if self.is_proven else 0.0)
            )
            self.latency_s += (head - self.latency_s) * (WEIGHT if self.is_proven else 0.8)
        rate = queued_then / max(elapsed_s - 0.8 * self.latency_s, 0.0005)
        self.rate_bytes_s += (rate - self.rate_bytes_s) * (WEIGHT if self.is_proven else 0.8)
        self.is_proven = True

    def was_late(self, queued_then: int, elapsed_s: float) -> None:
        """An answer is overdue: it cannot be faster than this."""
        self.rate_bytes_s = max(1.0, min(self.rate_bytes_s, queued_then / max(elapsed_s, 0.001)))

    def failed(self, size_bytes: int, now: float) -> None:
        """It refused, hung up or was given up: pause it, longer each time."""
        self.queued_bytes -= size_bytes
        self.strikes += 1
        self.paused_until = now + min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self.strikes - 1, 6))

    def released(self, size_bytes: int) -> None:
        """A request was withdrawn by us: no blame."""
        self.queued_bytes -= size_bytes
