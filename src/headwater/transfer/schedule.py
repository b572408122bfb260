"""Who is asked for which blocks when: by deadline for players, rarest first for a copy. Pure.

Theory of operation. Readers say what they will need next, in order; a copy wants everything. Each
pass first gives the readers' missing blocks, nearest first, to the node expected to answer soonest,
in small requests; then it fills what room the nodes have left with spans of the copy, those that
the fewest nodes have first, partial holders before whole ones so that a publisher sends each byte
about once. A request is *late* when another node could have answered twice over since; a late
request is asked again there (a hedge), and the first answer wins. The node that was late is
believed to be slow from then on, so it gets less. When a copy has nothing left to hand out, idle
nodes race for what the slowest still owe (endgame).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from headwater.store.shape import VideoShape
from headwater.transfer.flights import Flight, Flights, subtract
from headwater.transfer.sources import MAX_STRIKES, Source
from headwater.transfer.spans import Spans
from headwater.wire.ids import BLOCK_BYTES, NodeId
from headwater.wire.messages import MAX_BLOCKS_PER_REQUEST

__all__ = ["Ask", "Command", "Drop", "Schedule"]

URGENT_BLOCKS = 16
"""The reader waits for these: 256 KiB from its position on."""
PROBE_BLOCKS = 4
"""A request to a node that has not proven itself: 64 KiB."""
MAX_READ_BLOCKS = 32
"""A reader's request is never larger than 512 KiB: a seek throws away little."""
PROVEN_GROWTH = 3
"""A request to a node that has answered before is for so many times what lies between it and the
reader; one to another node for as much as that."""
SLICE_S = 0.05
"""A request is for what its node is believed to send in this time, where that is within bounds."""
MIN_COPY_BLOCKS = 32
"""A copy's request is for 512 KiB even to a slow node."""
QUEUE_S = 0.25
MIN_QUEUE_BYTES = 256 * 1024
MAX_QUEUE_BYTES = 16 * 1024 * 1024
MAX_PROBES = 8
MIN_LATE_S = 0.015
LATE_FACTOR = 2.0
COPY_LATE_S = 2.0
SLOW_FACTOR = 4.0
SLOW_SLACK_S = 0.1
MAX_HEDGES = 3
REFUSER_PAUSE_S = 60.0
"""For a node that refuses again and again what it says it has."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask `node` for `count` blocks from `first` on; report the outcome under `flight`."""

    flight: int
    node: NodeId
    first: int
    count: int
    for_reader: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """Withdraw a request: its blocks came from elsewhere, or nobody wants them any more."""

    flight: int


Command = Ask | Drop


@dataclass(slots=True)
class _Window:
    first: int
    count: int


class Schedule:
    """The scheduler of one video. Shape: less than MAX_QUEUE_BYTES and one more request asked of
    each source at a time.

    `missing(first, count)` tells which blocks are not held yet, in order; it is the only port."""

    def __init__(
        self, shape: VideoShape, missing: Callable[[int, int], list[range]], rng: Random
    ) -> None:
        self._shape, self._missing = shape, missing
        self._sources: dict[NodeId, Source] = {}
        self._windows: dict[int, _Window] = {}
        self._flights = Flights(shape)
        self._spans = Spans(shape, missing, rng)
        self._copies = False

    # What the shell tells.

    def add_source(self, node: NodeId, rtt_s: float | None) -> Source:
        source = self._sources.get(node)
        if source is None:
            source = self._sources[node] = Source(node, self._shape)
            if rtt_s is not None:
                source.latency_s = max(source.latency_s, 1.2 * rtt_s)
        return source

    def source_has(self, node: NodeId, first_piece: int, bits: bytes, *, whole: bool) -> None:
        source = self._sources.get(node)
        if source is None:
            return
        if source.add_pieces(first_piece, bits):
            self._spans.change()
        source.is_whole = source.is_whole or whole

    def remove_source(self, node: NodeId) -> list[Command]:
        """It is gone: its requests are free to be asked elsewhere."""
        source = self._sources.pop(node, None)
        if source is None:
            return []
        lost = self._flights.of(source)
        for flight in lost:
            self._flights.withdraw(flight)
        self._spans.change()
        return [Drop(flight.id) for flight in lost]

    def sources(self) -> list[Source]:
        return list(self._sources.values())

    def want(self, reader: int, first: int, count: int) -> None:
        """A reader is at block `first` and will need the `count` from there on, in order."""
        self._windows[reader] = _Window(first, count)

    def unwant(self, reader: int) -> None:
        self._windows.pop(reader, None)

    def has_readers(self) -> bool:
        return bool(self._windows)

    def want_all(self, wanted: bool) -> None:
        self._copies = wanted
        self._spans.change()

    def delivered(self, flight_id: int, now: float) -> list[Command]:
        """The blocks came and were proven; whoever else was asked for them need not answer."""
        flight = self._flights.end(flight_id)
        if flight is None:
            return []
        flight.source.delivered(flight.size_bytes, now - flight.asked_s, flight.queued_then, now)
        return self._drop_covered(flight.first, flight.end)

    def failed(self, flight_id: int, now: float, *, lacks: bool = False) -> None:
        """No answer, or a refusal; `lacks`: the node said that it does not have these blocks."""
        flight = self._flights.end(flight_id)
        if flight is None:
            return
        self._spans.change()
        flight.source.failed(flight.size_bytes, now)
        if lacks:
            flight.source.lacks(flight.first, flight.count)
            claims_falsely = flight.source.strikes >= MAX_STRIKES
            flight.source.paused_until = now + (REFUSER_PAUSE_S if claims_falsely else 0.0)

    def not_stored(self, flight_id: int) -> None:
        """It came, and our own disk did not take it: no blame on the source."""
        flight = self._flights.end(flight_id)
        if flight is not None:
            self._spans.change()
            flight.source.released(flight.size_bytes)

    def is_starving(self, now: float) -> bool:
        """Something is wanted and no usable node has it."""
        wanted = self._wanted_ranges()
        return bool(wanted) and not any(
            source.is_usable(now) and source.run_from(part.start, 1)
            for source in self._sources.values()
            for part in wanted[:64]
        )

    def can_come(self, first: int, count: int) -> bool:
        """Whether any node that is there has something of it, be it that it rests now."""
        return any(source.has_some(first, count) for source in self._sources.values())

    # What the shell is told.

    def handle_timer(self, now: float) -> list[Command]:
        """Everything that should be asked or withdrawn now."""
        commands: list[Command] = self._drop_unwanted()
        self._hedge(now, commands)
        self._read(now, commands)
        if self._copies:
            self._copy(now, commands)
        return commands

    def next_timer(self, now: float) -> float | None:
        """When to call handle_timer again if nothing else happens."""
        times = [
            source.paused_until for source in self._sources.values() if source.paused_until > now
        ]
        times += [now + self._patience_s(f, now) for f in self._flights if not f.is_late]
        if self._copies and (order_s := self._spans.next_order_s()) is not None:
            times.append(order_s)
        return max(now + 0.002, min(times)) if times else None

    # Passes.

    def _wanted_ranges(self) -> list[range]:
        if self._copies:
            return self._missing(0, self._shape.blocks)
        return [
            part
            for window in self._windows.values()
            for part in self._missing(window.first, window.count)
        ]

    def _drop_unwanted(self) -> list[Command]:
        """Withdraw reader requests that no window covers any more (a seek, a closed player)."""
        if self._copies:
            return []
        return self._withdraw(
            flight
            for flight in self._flights
            if not any(flight.overlaps(w.first, w.first + w.count) for w in self._windows.values())
        )

    def _drop_covered(self, first: int, end: int) -> list[Command]:
        return self._withdraw(
            flight
            for flight in self._flights.within(first, end)
            if not self._missing(flight.first, flight.count)
        )

    def _withdraw(self, flights: Iterable[Flight]) -> list[Command]:
        dropped: list[Command] = []
        for flight in flights:
            self._flights.withdraw(flight)
            dropped.append(Drop(flight.id))
        return dropped

    def _patience_s(self, flight: Flight, now: float) -> float:
        """How long from now on until this flight counts as late."""
        if flight.for_reader:
            allowed = max(MIN_LATE_S, LATE_FACTOR * flight.expected_s)
            other = self._best(flight.first, flight.size_bytes, now, but=flight.source)
            if other is not None and other.is_proven:
                allowed = min(
                    allowed, max(MIN_LATE_S, LATE_FACTOR * other.expected_s(flight.size_bytes))
                )
        else:
            allowed = max(COPY_LATE_S, SLOW_FACTOR * flight.expected_s)
        return flight.asked_s + allowed - now

    def _hedge(self, now: float, commands: list[Command]) -> None:
        for flight in self._flights:
            if not flight.is_late:
                if self._patience_s(flight, now) > 0:
                    continue
                flight.is_late = True
                flight.source.was_late(flight.queued_then, now - flight.asked_s)
            for part in self._missing(flight.first, flight.count):
                twins = self._flights.within(part.start, part.stop)
                if any(not twin.is_late for twin in twins) or len(twins) > MAX_HEDGES:
                    continue  # asked again already, and that one may still come in time
                other = self._best(part.start, flight.size_bytes, now, but=flight.source)
                if other is not None and all(twin.source is not other for twin in twins):
                    count = other.run_from(part.start, len(part))
                    commands.append(self._ask(other, part.start, count, now, flight.for_reader))

    def _read(self, now: float, commands: list[Command]) -> None:
        for window in list(self._windows.values()):
            for flight in self._flights.within(window.first, window.first + URGENT_BLOCKS):
                flight.for_reader = True  # a copy asked for it, and now somebody waits
            wanted = subtract(self._missing(window.first, window.count), self._flights.taken())
            for part in wanted:
                at = part.start
                while at < part.stop:
                    ahead = at - window.first
                    count = self._read_once(at, part.stop - at, ahead, now, commands)
                    if count == 0:
                        break
                    at += count
                if at < part.stop and ahead >= URGENT_BLOCKS:
                    break

    def _read_once(
        self, first: int, limit: int, ahead: int, now: float, commands: list[Command]
    ) -> int:
        """Ask somebody for the blocks from `first` on; returns how many were asked for."""
        is_urgent = ahead < URGENT_BLOCKS
        source = self._reader_source(first, now, is_urgent)
        if source is None:
            return 0
        size = self._read_blocks(source, ahead, now)
        count = source.run_from(first, min(limit, size))
        commands.append(self._ask(source, first, count, now, True))
        return count

    def _read_blocks(self, source: Source, ahead: int, now: float) -> int:
        """Small where the reader waits, growing with the distance: few requests, soon answered."""
        if not source.is_proven:
            others = self._usable_count(now) > 1
            return PROBE_BLOCKS if others else max(PROBE_BLOCKS, min(ahead, MAX_READ_BLOCKS))
        affordable = int(source.rate_bytes_s * SLICE_S) // BLOCK_BYTES
        return max(PROBE_BLOCKS, min(PROVEN_GROWTH * ahead, MAX_READ_BLOCKS, affordable))

    def _usable_count(self, now: float) -> int:
        return sum(1 for source in self._sources.values() if source.is_usable(now))

    def _reader_source(self, first: int, now: float, is_urgent: bool) -> Source | None:
        """The soonest node with room that is not far slower than the soonest of all."""
        probe_bytes = PROBE_BLOCKS * BLOCK_BYTES
        ranked = sorted(
            (source.expected_s(probe_bytes), index, source)
            for index, source in enumerate(self._sources.values())
            if source.is_usable(now) and source.run_from(first, 1)
        )
        for expected_s, _, source in ranked:
            if expected_s > SLOW_FACTOR * ranked[0][0] + SLOW_SLACK_S:
                return None
            if self._has_room(source, now, is_urgent):
                return source
        return None

    def _has_room(self, source: Source, now: float, is_urgent: bool) -> bool:
        if not source.is_proven:
            probes = MAX_PROBES if self._usable_count(now) == 1 else 2
            return source.queued_bytes < probes * PROBE_BLOCKS * BLOCK_BYTES
        room = self._queue_bytes(source)
        return source.queued_bytes < (2 * room if is_urgent else room)

    def _queue_bytes(self, source: Source) -> int:
        keep_busy = source.rate_bytes_s * (QUEUE_S + source.latency_s)
        return int(max(MIN_QUEUE_BYTES, min(keep_busy, MAX_QUEUE_BYTES)))

    def _best(self, first: int, size_bytes: int, now: float, but: Source) -> Source | None:
        """The usable node that would answer soonest, of those that have block `first`."""
        best, best_s = None, float("inf")
        for source in self._sources.values():
            if source is but or not source.is_usable(now) or not source.run_from(first, 1):
                continue
            expected = source.expected_s(size_bytes)
            if expected < best_s:
                best, best_s = source, expected
        return best

    def _ask(self, source: Source, first: int, count: int, now: float, for_reader: bool) -> Ask:
        flight = self._flights.ask(source, first, count, now, for_reader=for_reader)
        return Ask(flight.id, source.node, first, count, for_reader)

    # The copy.

    def _copy(self, now: float, commands: list[Command]) -> None:
        self._spans.order(self._sources.values(), now)
        usable = [source for source in self._sources.values() if source.is_usable(now)]
        usable.sort(key=lambda source: (source.strikes, source.is_whole, -source.rate_bytes_s))
        for source in usable:
            room = self._queue_bytes(source) if source.is_proven else 1  # a single request
            while source.queued_bytes < room and self._copy_once(source, now, commands):
                pass
            if source.queued_bytes == 0 and not self._spans:
                self._endgame(source, now, commands)

    def _copy_once(self, source: Source, now: float, commands: list[Command]) -> bool:
        """Ask `source` for something of the best span that it has anything missing of."""
        for span in self._spans.best_for(source):
            run = self._run_of(source, span)
            if run:
                commands.append(self._ask(source, run.start, len(run), now, False))
            if not self._unasked(span):
                self._spans.remove(span)
            if run:
                return True
        return False

    def _unasked(self, span: range) -> list[range]:
        """What of it is missing and nobody was asked for."""
        return subtract(self._missing(span.start, len(span)), self._flights.taken())

    def _run_of(self, source: Source, span: range) -> range:
        """The first that `source` has of what is unasked of a span, as much as one request takes;
        empty where it has nothing of it."""
        affordable = int(source.rate_bytes_s * SLICE_S) // BLOCK_BYTES
        limit = max(MIN_COPY_BLOCKS, min(affordable, MAX_BLOCKS_PER_REQUEST))
        for part in self._unasked(span):
            at = part.start
            while at < part.stop:
                if count := source.run_from(at, min(part.stop - at, limit)):
                    return range(at, at + count)
                at = (self._shape.piece_of(at) + 1) * self._shape.blocks_per_piece
        return range(0)

    def _endgame(self, source: Source, now: float, commands: list[Command]) -> None:
        """An idle node, nothing left to hand out: let it race for what would come last."""
        slowest, slowest_s = None, 0.0
        for flight in self._flights:
            twins = self._flights.within(flight.first, flight.end)
            if (
                len(twins) > MAX_HEDGES
                or any(twin.source is source for twin in twins)
                or source.run_from(flight.first, flight.count) < flight.count
            ):
                continue
            left_s = flight.asked_s + flight.expected_s - now
            if left_s < 0:
                left_s = flight.size_bytes / flight.source.rate_bytes_s
            if left_s > slowest_s:
                slowest, slowest_s = flight, left_s
        if slowest is not None and slowest_s > LATE_FACTOR * source.expected_s(slowest.size_bytes):
            commands.append(self._ask(source, slowest.first, slowest.count, now, False))
