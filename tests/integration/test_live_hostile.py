"""What bad neighbours get: nothing of theirs is shown or passed on, and playback goes on."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from live_makers import check_order, on_air, read_parts, watching
from parties import party, until

from headwater.link.port import LinkClosed, Stream
from headwater.live.part import LivePart
from headwater.node.node import Node
from headwater.wire.frames import encode
from headwater.wire.ids import LiveId, NodeId
from headwater.wire.live import MAX_PARTS_PER_REQUEST, GetParts, PartsReply, Push


def forged(part: LivePart) -> LivePart:
    """With another last byte."""
    return LivePart(part.info, part.frame[:-1] + bytes([part.frame[-1] ^ 1]), part.head_bytes)


def make_forger(node: Node, live: LiveId) -> None:
    """From now on that node changes every part that it passes on or is asked for."""
    session = node.lives._taken[live].session
    children = session._children
    assert children is not None
    push, find = children.push, session.shelf.find

    def push_forged(part: LivePart, nodes: Sequence[NodeId]) -> None:
        push(forged(part), nodes)

    async def find_forged(seq: int) -> LivePart | None:
        found = await find(seq)
        return found and forged(found)

    children.push = push_forged  # type: ignore[method-assign]
    session._server._find = find_forged


def test_a_forging_relay_is_banned_and_nothing_of_it_is_shown(tmp_path: Path) -> None:
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
            parts = await read_parts(view, 30)
            report = d.lives.get(live).report
            assert report is not None
            parent = report.stripes[0].parent
            forger = b if parent == b.identity.node else c
            make_forger(forger, live)
            parts += await read_parts(view, 120)
            check_order(parts, encoder)
            assert d.neighbours.is_banned(forger.identity.node)
            assert d.lives.counters.parts_forged >= 1

    asyncio.run(scenario())


def test_old_parts_pushed_again_are_not_even_checked_and_cost_the_link(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            party(tmp_path / "c", a, b, only=("a", "b")) as c,
            on_air(a) as (live, encoder),
            watching(c, live),
            watching(b, live) as view,
        ):
            parts = await read_parts(view, 30)
            old = c.lives._taken[live].session.shelf.ring.since(0)[1:9]
            replayed = [part for part in old if part.seq % 4 == old[0].seq % 4]
            neighbour = c.neighbours.get(b.identity.node)
            assert neighbour is not None
            stream = await neighbour.link.open_stream()
            with suppress(LinkClosed):  # it is banned while it goes on
                await stream.write(encode(Push(live, old[0].seq % 4)))
                for _ in range(64):
                    for part in replayed:
                        await stream.write(part.frame)
            await until(lambda: b.neighbours.is_banned(c.identity.node))
            parts += await read_parts(view, 60)
            check_order(parts, encoder)
            assert b.lives.counters.parts_forged == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("stripe", [0, 15])
def test_a_push_of_something_else_costs_the_link(tmp_path: Path, stripe: int) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, _),
            watching(b, live) as view,
        ):
            parts = await read_parts(view, 10)
            wrong = next(part for part in parts if part.seq % 4 == 1)
            neighbour = a.neighbours.get(b.identity.node)
            assert neighbour is not None
            stream = await neighbour.link.open_stream()
            await stream.write(encode(Push(live, stripe, 2**53)) + wrong.frame)
            if stripe == 15:  # there is no such stripe: only this stream ends
                assert await _is_reset(stream)
                await read_parts(view, 10)
            else:
                await until(lambda: b.neighbours.is_banned(a.identity.node))

    asyncio.run(scenario())


def test_a_push_that_was_overtaken_by_the_next_one_does_not_end_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, _),
            watching(b, live) as view,
        ):
            await read_parts(view, 20)
            neighbour = a.neighbours.get(b.identity.node)
            assert neighbour is not None
            await until(lambda: neighbour.link.has_lane)
            pushes, feed = b.lives._taken[live].session._incoming, (a.identity.node, 0)
            number, _stream = pushes[feed]
            late = await neighbour.link.open_stream()
            await late.write(encode(Push(live, 0, number - 1)))
            assert await _is_reset(late)
            assert pushes[feed][0] >= number
            await read_parts(view, 20)

    asyncio.run(scenario())


async def _is_reset(stream: Stream) -> bool:
    try:
        async with asyncio.timeout(5):
            return not await stream.read(1)
    except LinkClosed:
        return True


def test_parts_asked_for_by_number_are_given_within_bounds(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, _),
            watching(a, live) as view,
        ):
            await read_parts(view, 80)
            neighbour = b.neighbours.get(a.identity.node)
            assert neighbour is not None

            async def ask(*seqs: int) -> list[int]:
                reply, stream = await neighbour.ask(GetParts(live, seqs), timeout_s=5)
                assert isinstance(reply, PartsReply)
                rest = b""
                while chunk := await stream.read(65536):
                    rest += chunk
                known = a.lives._taken[live].session.shelf.ring
                given = [seq for seq in dict.fromkeys(seqs) if known.get(seq)]
                expected = b"".join(known.get(seq).frame for seq in given[: reply.count])  # type: ignore[union-attr]
                assert rest == expected
                return given[: reply.count]

            assert await ask(7, 3, 3, 10**9) == [7, 3]
            everything = tuple(range(MAX_PARTS_PER_REQUEST))
            assert await ask(*everything) == list(everything)
            server = a.lives._taken[live].session._server
            server._budgets.clear()
            size = len(a.lives._taken[live].session.shelf.ring.get(5).frame)  # type: ignore[union-attr]
            server._limits = replace(server._limits, answer_bytes=3 * size)
            assert await ask(*range(5, 25)) == [5, 6, 7]
            assert a.lives.counters.pulls_curbed == 1

    asyncio.run(scenario())


def test_a_neighbour_that_pulls_without_end_gets_no_more_than_its_budget(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            party(tmp_path / "a") as a,
            party(tmp_path / "b", a) as b,
            on_air(a) as (live, _),
            watching(a, live) as view,
        ):
            await read_parts(view, 80)
            server = a.lives._taken[live].session._server
            server._limits = replace(server._limits, answer_ratio=0.0, answer_burst_s=0.0)
            server._limits = replace(server._limits, answer_bytes=100_000)
            neighbour = b.neighbours.get(a.identity.node)
            assert neighbour is not None
            count, given = 1, 0
            while count:
                request = GetParts(live, tuple(range(1, 11)))
                reply, _ = await neighbour.ask(request, timeout_s=5)
                assert isinstance(reply, PartsReply)
                count = reply.count
                given += count
            assert 100_000 // 4300 - 1 <= given <= 100_000 // 4000

    asyncio.run(scenario())
