"""The requests under way: what of the video is asked for, of whom, since when. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headwater.store.shape import VideoShape
from headwater.transfer.sources import Source

__all__ = ["Flight", "Flights", "subtract"]


@dataclass(slots=True, eq=False)
class Flight:
    """One request. Units: blocks, bytes, seconds by the caller's clock."""

    id: int
    source: Source
    first: int
    count: int
    size_bytes: int
    asked_s: float
    expected_s: float
    queued_then: int
    for_reader: bool
    is_late: bool = False

    @property
    def end(self) -> int:
        return self.first + self.count

    def overlaps(self, first: int, end: int) -> bool:
        return self.first < end and first < self.end


def subtract(ranges: Iterable[range], taken: list[tuple[int, int]]) -> list[range]:
    """What of `ranges` lies in none of `taken` (starts and ends, sorted)."""
    left = []
    for part in ranges:
        at = part.start
        for start, end in taken:
            if end <= at:
                continue
            if start >= part.stop:
                break
            if start > at:
                left.append(range(at, start))
            at = max(at, end)
        if at < part.stop:
            left.append(range(at, part.stop))
    return left


class Flights:
    """All requests of one video; the sources' queues are kept in step with them."""

    def __init__(self, shape: VideoShape) -> None:
        self._shape = shape
        self._flights: dict[int, Flight] = {}
        self._next_id = 1

    def __iter__(self) -> Iterator[Flight]:
        return iter(list(self._flights.values()))

    def ask(
        self, source: Source, first: int, count: int, now: float, *, for_reader: bool
    ) -> Flight:
        _, size_bytes = self._shape.span(first, count)
        expected_s = source.expected_s(size_bytes)
        source.asked(size_bytes)
        flight = Flight(
            self._next_id,
            source,
            first,
            count,
            size_bytes,
            now,
            expected_s,
            source.queued_bytes,
            for_reader,
        )
        self._flights[flight.id] = flight
        self._next_id += 1
        return flight

    def end(self, flight_id: int) -> Flight | None:
        """It is over; None when it was withdrawn before. What it means is the caller's to say."""
        return self._flights.pop(flight_id, None)

    def withdraw(self, flight: Flight) -> None:
        """We do not want its answer any more: no blame on the source."""
        del self._flights[flight.id]
        flight.source.released(flight.size_bytes)

    def of(self, source: Source) -> list[Flight]:
        return [flight for flight in self._flights.values() if flight.source is source]

    def within(self, first: int, end: int) -> list[Flight]:
        """Those that ask for any of these blocks."""
        return [flight for flight in self._flights.values() if flight.overlaps(first, end)]

    def taken(self) -> list[tuple[int, int]]:
        """(start, end) of all that is asked for, sorted."""
        return sorted((flight.first, flight.end) for flight in self._flights.values())
