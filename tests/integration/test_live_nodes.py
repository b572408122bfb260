"""Lives over real links between whole nodes: who is fed by whom, and what happens when one goes."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

from live_makers import (
    Encoder,
    check_order,
    hurry,
    on_air,
    read_fragments,
    read_parts,
    watching,
)
from parties import party, until

from headwater.link.iroh import IrohLink
from headwater.live.view import Ended
from headwater.node.node import Node
from headwater.wire.ids import LiveId


def parents(node: Node, live: LiveId) -> set[bytes | None]:
    report = node.lives.get(live).report
    assert report is not None
    return {stripe.parent for stripe in report.stripes}


def test_a_live_reaches_another_node_part_by_part_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, encoder),
            watching(b, live) as view,
        ):
            check_order(await read_parts(view, 30), encoder)
            status = b.lives.get(live)
            assert (status.state, status.is_mine, status.entry.media_type) == (
                *("on", False),
                "video/mp4",
            )
            assert a.lives.get(live).is_mine

    asyncio.run(scenario())


def test_a_chain_of_three_carries_it_to_a_node_that_cannot_reach_the_source(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a", only=("b",)) as a,
            party(tmp_path / "b", a, only=("a", "c")) as b,
            party(tmp_path / "c", b, only=("b",)) as c,
            on_air(a) as (live, encoder),
            watching(b, live),
            watching(c, live) as view,
        ):
            check_order(await read_parts(view, 40), encoder)
            assert parents(c, live) == {b.identity.node}
            assert parents(b, live) == {a.identity.node}
            for node in (b, c):
                assert node.lives.counters.parts_forged == 0
                assert node.lives.counters.parts_skipped == 0
            await until(lambda: a.lives.get(live).viewers == 2)
            await until(lambda: c.lives.get(live).viewers == 2)
            await until(lambda: c.lives.get(live).delay_s is not None)
            for node in (a, b, c):
                assert (node.lives.get(live).delay_s or 0.0) < 5.0

    asyncio.run(scenario())


def test_keyframes_travel_in_several_parts_and_are_played_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        large = Encoder(size_bytes=10_000, key_ratio=5)
        async with (
            party(tmp_path / "a", only=("b",)) as a,
            party(tmp_path / "b", a, only=("a", "c")) as b,
            party(tmp_path / "c", b, only=("b",)) as c,
            on_air(a, large) as (live, encoder),
            watching(b, live),
            watching(c, live) as view,
        ):
            init, *rest = await read_fragments(view, 41)
            assert init.payload == encoder.made[0]
            first = encoder.made.index(rest[0].payload)
            assert [each.payload for each in rest] == encoder.made[first : first + 40]
            keys = [each for each in rest if each.info.is_key]
            assert [key.info.more for key in keys[1:]] == [3, 3, 3]
            assert parents(c, live) == {b.identity.node}
            assert all(
                one.info.seq + one.info.more + 1 == after.info.seq for one, after in pairwise(rest)
            )

    asyncio.run(scenario())


def test_a_stream_of_the_only_neighbour_that_stands_still_is_made_up_for_and_begun_anew(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, encoder),
            watching(b, live) as view,
        ):
            parts = await read_parts(view, 20)
            pushing = a.lives._taken[live].session._children
            assert pushing is not None
            pushing.stop(b.identity.node, 1)  # and nobody is told
            pulls = b.lives.counters.pulls
            parts += await read_parts(view, 40)
            check_order(parts, encoder)
            assert b.lives.counters.pulls > pulls
            await until(lambda: (b.identity.node, 1) in pushing._feeds)
            await read_parts(view, 20)

    asyncio.run(scenario())


def test_a_star_of_four_watches_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            a = await stack.enter_async_context(party(tmp_path / "a"))
            viewers = [
                await stack.enter_async_context(party(tmp_path / name, a, only=("a",)))
                for name in ("b", "c", "d", "e")
            ]
            live, encoder = await stack.enter_async_context(on_air(a))
            views = [await stack.enter_async_context(watching(n, live)) for n in viewers]
            for parts in await asyncio.gather(*(read_parts(view, 40) for view in views)):
                check_order(parts, encoder)
            assert all(parents(node, live) == {a.identity.node} for node in viewers)

    asyncio.run(scenario())


def test_when_the_relay_dies_another_feeds_on_and_nothing_is_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a", only=("b", "c")) as a,
            party(tmp_path / "b", a, only=("a", "d")) as b,
            party(tmp_path / "c", a, only=("a", "d")) as c,
            party(tmp_path / "d", b, c, only=("b", "c")) as d,
            on_air(a) as (live, encoder),
            watching(b, live),
            watching(c, live),
            watching(d, live) as view,
        ):
            parts = await read_parts(view, 40)
            dead = b if b.identity.node in parents(d, live) else c
            await dead._endpoint.close()
            parts += await read_parts(view, 120)
            check_order(parts, encoder)
            assert dead.identity.node not in parents(d, live)

    asyncio.run(scenario())


def test_a_lost_lane_is_no_lost_parent_and_not_a_lost_part(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, encoder),
            watching(b, live) as view,
        ):
            link = a.neighbours.connected()[b.identity.node].link
            assert isinstance(link, IrohLink)
            parts = await read_parts(view, 10)
            while not link.has_lane:
                parts += await read_parts(view, 1)
            parts += await read_parts(view, 10)
            assert link._lane._lane is not None
            link._lane._lane.close("the cable was pulled")
            parts += await read_parts(view, 40)
            check_order(parts, encoder)
            assert not link.has_lane
            assert parents(b, live) == {a.identity.node}
            assert b.lives.counters.parts_skipped == 0

    asyncio.run(scenario())


def test_the_end_is_told_when_all_has_been_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, encoder),
            watching(b, live) as view,
        ):
            parts = await read_parts(view, 20)
            await a.lives.stop(live)
            assert encoder.is_closed
            async with asyncio.timeout(10):
                while not isinstance(step := await view.next(), Ended):
                    parts += [step]  # type: ignore[list-item]
            check_order(parts, encoder)
            assert parts[-1].seq == a.lives.get(live).entry.parts - 1
            assert b.lives.get(live).state == "ended"

    asyncio.run(scenario())


def test_an_encoder_that_comes_back_is_a_new_epoch_of_the_same_live(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, encoder),
            watching(b, live) as view,
        ):
            parts = await read_parts(view, 20)
            encoder.vanish("the encoder has gone")
            await until(lambda: b.lives.get(live).state == "waiting")
            assert a.lives.get(live).message == "the encoder has gone"
            encoder.restart()
            while not (parts[-1].info.epoch == 1 and parts[-1].info.is_key):
                parts += await read_parts(view, 1)
            check_order(parts, encoder)
            await until(lambda: b.lives.get(live).state == "on")

    asyncio.run(scenario())


def test_a_live_that_nobody_watches_any_more_is_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, _),
        ):
            hurry(b.lives)
            async with watching(b, live) as view:
                await read_parts(view, 5)
                assert (tmp_path / "b" / "lives" / live.hex()).is_dir()
            await until(lambda: b.lives.get(live).report is None)
            assert not (tmp_path / "b" / "lives" / live.hex()).exists()
            async with watching(b, live) as view:
                await read_parts(view, 5)

    asyncio.run(scenario())
