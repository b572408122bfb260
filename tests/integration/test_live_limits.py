"""Every bound of lives, at the bound."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from live_makers import Encoder, go_live, hurry, on_air, read_parts, watching
from parties import party, until

from headwater.errors import LocalUsageError, NotFound, Unavailable
from headwater.live.lives import Lives
from headwater.media.live_options import LiveOptions
from headwater.wire.ids import LiveId


def limit(lives: Lives, **changes: Any) -> None:
    lives._limits = replace(lives._limits, **changes)
    lives._around = replace(lives._around, limits=lives._limits)


def test_a_node_makes_so_many_lives(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a:
            limit(a.lives, made=2, grace_s=0.0)
            first = await go_live(a, Encoder(), "First")
            await go_live(a, Encoder(), "First")
            with pytest.raises(Unavailable, match="2 lives already"):
                await go_live(a, Encoder(), "Third")
            assert len(a.lives.list()) == 2, "the same title is another live"
            await a.lives.stop(first)
            await until(lambda: len(a.lives._taken) == 1)
            await go_live(a, Encoder(), "Third")

    asyncio.run(scenario())


def test_a_node_watches_so_many_lives_and_so_many_players_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            limit(b.lives, watched=1, views=2)
            one, two = [await go_live(a, Encoder(), title) for title in ("One", "Two")]
            await until(lambda: b.catalogue.live(one) and b.catalogue.live(two))
            views = [await b.lives.watch(one) for _ in range(2)]
            with pytest.raises(Unavailable, match="2 players"):
                await b.lives.watch(one)
            with pytest.raises(Unavailable, match="1 lives already"):
                await b.lives.watch(two)
            await views[0].close()
            await (await b.lives.watch(one)).close()
            await views[1].close()
            hurry(b.lives)
            await until(lambda: not b.lives._taken)
            await (await b.lives.watch(two)).close()

    asyncio.run(scenario())


def test_what_is_not_on_air_cannot_be_watched(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a:
            with pytest.raises(NotFound):
                await a.lives.watch(LiveId(bytes(32)))
            with pytest.raises(NotFound):
                a.lives.get(LiveId(bytes(32)))
            with pytest.raises(NotFound):
                await a.lives.stop(LiveId(bytes(32)))
            a.lives.keep(LiveId(bytes(32)), False)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("title", "how"), [("", {}), ("t" * 301, {}), ("t", {"stripes": 0}), ("t", {"stripes": 17})]
)
def test_a_live_that_nobody_would_list_does_not_begin(
    tmp_path: Path, title: str, how: dict[str, Any]
) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a:
            with pytest.raises(LocalUsageError, match="cannot be"):
                await a.lives.start(LiveOptions("test:"), title, **how)
            assert not a.lives.list()

    asyncio.run(scenario())


def test_more_parts_a_second_than_a_live_may_have_are_not_checked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            limit(b.lives, parts_per_s=0.0, parts_burst=30.0)
            async with on_air(a) as (live, _), watching(b, live) as view:
                await read_parts(view, 20)
                await until(lambda: b.lives.counters.parts_flooded >= 5)
                assert b.lives.counters.parts_received == 30

    asyncio.run(scenario())


def test_payloads_that_are_read_at_once_stay_within_their_bound(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with party(tmp_path / "a") as a, party(tmp_path / "b", a) as b:
            limit(b.lives, receiving_bytes=5000)
            async with on_air(a) as (live, encoder), watching(b, live) as view:
                await read_parts(view, 40)  # one at a time, but all of them
                arrivals = b.lives._taken[live].session._arrivals
                encoder.size_bytes = 1000
                await until(lambda: 0 <= arrivals._room <= 5000)

    asyncio.run(scenario())
