"""How fast a browser is handed a file."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.web.gateway.pacing import (
    FIRST_BYTES,
    FIRST_S,
    MIN_BYTES_S,
    SOON_BYTES,
    SOON_BYTES_S,
    SOON_S,
    SPEED,
    index_end,
    paced,
)

CHUNK = 250_000


def box(kind: bytes, size: int) -> bytes:
    return size.to_bytes(4, "big") + kind + bytes(size - 8)


def test_the_index_in_front_is_found() -> None:
    assert index_end(box(b"ftyp", 32) + box(b"moov", 5000)[:100]) == 5032
    assert index_end(box(b"ftyp", 32) + box(b"free", 16) + box(b"moov", 5000)[:100]) == 5048


def test_an_index_at_the_end_or_none_at_all_is_not_guessed() -> None:
    assert index_end(box(b"ftyp", 32) + box(b"mdat", 5000)) == 0
    assert index_end(b"\x1aE\xdf\xa3 matroska, not boxes at all") == 0


@given(head=st.binary(max_size=200))
def test_garbage_is_no_index_and_no_endless_loop(head: bytes) -> None:
    assert index_end(head) >= 0


def _waits(
    chunks: list[bytes], bytes_per_s: float, monkeypatch: pytest.MonkeyPatch, *, start: int = 0
) -> list[float]:
    """How long it waited in all before each chunk, on a clock that only its sleeps move."""
    now = [0.0]
    before: list[float] = []

    async def sleep(wait_s: float) -> None:
        now[0] += wait_s

    async def source() -> AsyncGenerator[bytes, None]:
        for chunk in chunks:
            before.append(now[0])
            yield chunk

    async def run() -> None:
        monkeypatch.setattr(asyncio, "sleep", sleep)
        given = paced(source(), start=start, bytes_per_s=bytes_per_s, clock=lambda: now[0])
        assert [chunk async for chunk in given] == chunks

    asyncio.run(run())
    return before


def test_the_beginning_at_once_the_rest_ahead_of_the_playing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = _waits([bytes(CHUNK)] * 40, 200_000, monkeypatch)
    free = SOON_BYTES // CHUNK
    assert before[: free + 1] == [0.0] * (free + 1)
    assert before[39] == pytest.approx((CHUNK * 39 - SOON_BYTES) / (SPEED * 200_000))


def test_after_a_seek_a_group_at_once_a_long_one_as_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = _waits([bytes(CHUNK)] * 40, 200_000, monkeypatch, start=1)
    free = FIRST_BYTES // CHUNK
    assert before[: free + 1] == [0.0] * (free + 1)
    soon = round(SOON_S * 200_000) // CHUNK
    assert before[soon] == pytest.approx((CHUNK * soon - FIRST_BYTES) / SOON_BYTES_S)
    assert before[39] == pytest.approx((CHUNK * 39 - SOON_S * 200_000) / (SPEED * 200_000))


def test_what_plays_slowly_still_comes_at_a_fair_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _waits([bytes(CHUNK)] * 40, 1000, monkeypatch)
    assert before[39] == pytest.approx((CHUNK * 39 - SOON_BYTES) / MIN_BYTES_S)


def test_what_plays_at_a_high_rate_is_held_up_by_nothing_but_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = _waits([bytes(4_000_000)] * 40, 8_000_000, monkeypatch, start=1)
    late = 4_000_000 * 39 - FIRST_S * 8_000_000
    assert before[39] == pytest.approx(late / (SPEED * 8_000_000))


def test_a_large_index_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    head = (box(b"ftyp", 32) + (5_000_000).to_bytes(4, "big") + b"moov").ljust(CHUNK, b"\0")
    before = _waits([head, *[bytes(CHUNK)] * 30], 200_000, monkeypatch)
    assert before[5_000_000 // CHUNK] == 0.0


def test_who_stops_listening_ends_the_read() -> None:
    async def run() -> None:
        ended = asyncio.Event()

        async def source() -> AsyncGenerator[bytes, None]:
            try:
                while True:
                    yield bytes(CHUNK)
            finally:
                ended.set()

        given = paced(source(), start=0, bytes_per_s=1.0)
        await anext(given)
        await given.aclose()
        assert ended.is_set()

    asyncio.run(run())
