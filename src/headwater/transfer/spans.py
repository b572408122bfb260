"""In which order a copy asks for what is missing: what fewest have first. Pure."""

from collections.abc import Callable, Iterable, Sequence
from random import Random

from headwater.store.shape import VideoShape
from headwater.transfer.sources import Source

__all__ = ["Spans"]

MIN_SPAN_BYTES = 512 * 1024
MAX_SPAN_BYTES = 4 * 1024 * 1024
"""What the largest request can ask for. The fewer the requests, the less each byte costs."""
AIMED_SPANS = 256
"""Enough of them that several receivers nearly always have something for each other."""
REORDER_S = 0.5


class Spans:
    """The missing parts of a copy, cut into spans.

    Rarest first, so that what only one node has is soon on two; equals in random order, so that
    several receivers begin in different places and have something to give each other."""

    def __init__(
        self, shape: VideoShape, missing: Callable[[int, int], list[range]], rng: Random
    ) -> None:
        self._shape, self._missing, self._rng = shape, missing, rng
        span_bytes = max(MIN_SPAN_BYTES, min(shape.size_bytes // AIMED_SPANS, MAX_SPAN_BYTES))
        self._per_span = max(1, span_bytes // shape.piece_bytes) * shape.blocks_per_piece
        self._spans: list[range] = []  # the best last
        self._ordered_s = float("-inf")
        self._is_stale = True

    def __bool__(self) -> bool:
        return bool(self._spans)

    def change(self) -> None:
        """Who has what changed, or something is missing again: the order is to be made anew."""
        self._is_stale = True

    def next_order_s(self) -> float | None:
        return self._ordered_s + REORDER_S if self._is_stale else None

    def order(self, sources: Iterable[Source], now: float) -> None:
        """Make the order anew where that is due; at most every REORDER_S while there are spans."""
        if not self._is_stale or (self._spans and now < self._ordered_s + REORDER_S):
            return
        self._is_stale, self._ordered_s = False, now
        starts = {
            span * self._per_span
            for part in self._missing(0, self._shape.blocks)
            for span in range(part.start // self._per_span, (part.stop - 1) // self._per_span + 1)
        }
        self._spans = [
            range(start, min(start + self._per_span, self._shape.blocks))
            for start in sorted(starts)
        ]
        self._rng.shuffle(self._spans)
        partial = [source for source in sources if not source.is_whole]
        if partial:
            self._spans.sort(key=lambda span: self._holders(span, partial), reverse=True)

    def best_for(self, source: Source) -> Iterable[range]:
        """The spans of which `source` has something, the best first. Remove what is used up."""
        for index in range(len(self._spans) - 1, -1, -1):
            span = self._spans[index]
            if source.is_whole or any(map(source.has_piece, self._pieces_of(span))):
                yield span

    def remove(self, span: range) -> None:
        """All of it is asked for."""
        for index in range(len(self._spans) - 1, -1, -1):  # it is near the end
            if self._spans[index] == span:
                del self._spans[index]
                return

    def _holders(self, span: range, partial: Sequence[Source]) -> int:
        piece = self._shape.piece_of(span.start)
        return sum(source.has_piece(piece) for source in partial)

    def _pieces_of(self, span: range) -> range:
        return range(self._shape.piece_of(span.start), self._shape.piece_of(span.stop - 1) + 1)
