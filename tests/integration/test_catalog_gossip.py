"""Gossip between real catalogues: everything spreads, forgery and flood end with their sender."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest
from catalog_samples import NOW_MS, Author, TestNode, joined, video_id

from headwater.catalog import checking, session
from headwater.catalog import gossip as shell
from headwater.catalog import sync as core
from headwater.catalog.bounds import Bounds
from headwater.catalog.ledger import Admission
from headwater.errors import LocalUsageError, RemoteProtocolError, StorageFull
from headwater.wire.items import Item, Signed, open_item
from headwater.wire.messages import Items, Want

ANNA, BEN = Author(101), Author(102)


def _nodes(path: Path, count: int, bounds: Bounds | None = None) -> list[TestNode]:
    return [TestNode(path, number + 1, bounds) for number in range(count)]


def _forged(item: Item) -> Signed:
    signed = item.signed
    return Signed(signed.author, signed.body, bytes(64))


def test_news_spread_through_nodes_that_are_not_connected(tmp_path: Path) -> None:
    async def scenario() -> None:
        a, b, c = _nodes(tmp_path, 3)
        async with joined(a, b, c):
            entry = a.author.entry(1)
            a.gossip.publish([entry])
            await c.holds(entry)
            assert c.catalogue.search("video").total == 1
            retraction = a.author.retraction(1)
            a.gossip.publish([retraction])
            await c.holds(retraction)
            assert c.catalogue.search("video").total == 0
            backwards = c.author.entry(2)
            c.gossip.publish([backwards])
            await a.holds(backwards)
        for node in (a, b, c):
            assert node.changes.count(entry) == 1

    asyncio.run(scenario())


def test_what_came_from_a_neighbour_does_not_go_back_to_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        a, b, c = _nodes(tmp_path, 3)
        async with joined(a, b, c):
            a.gossip.publish([a.author.entry(1)])
            await c.holds(a.author.entry(1))
            sent = [m for m in b.neighbours[a.author.id].sent if isinstance(m, Items)]
            assert a.author.entry(1).signed not in [s for m in sent for s in m.items]

    asyncio.run(scenario())


def test_what_was_known_before_they_met_spreads_as_well(tmp_path: Path) -> None:
    async def scenario() -> None:
        a, b, c = _nodes(tmp_path, 3)
        before = [ANNA.entry(n) for n in range(200)] + [ANNA.retraction(3)]
        a.catalogue.add(before)
        there = [BEN.entry(n) for n in range(200)]
        c.catalogue.add(there)
        async with joined(a, b, c):
            for node in (a, b, c):
                await node.holds(*before[4:], *there)
            assert a.catalogue.buckets() == b.catalogue.buckets() == c.catalogue.buckets()

    asyncio.run(scenario())


def test_a_meeting_introduces_the_nodes_that_each_has_heard_of(tmp_path: Path) -> None:
    async def scenario() -> None:
        a, b, c = _nodes(tmp_path, 3)
        stranger = Author(55)
        async with joined(a, b):
            a.gossip.publish([a.author.record(), stranger.record()])
            await b.holds(stranger.record(), a.author.record())
            async with asyncio.TaskGroup() as group:
                running = group.create_task(c.gossip.run())
                b.meet(c)
                await c.until(lambda: len(c.catalogue.nodes()) == 3)
                heard = {item.author for item in c.catalogue.nodes()}
                assert heard == {a.author.id, b.author.id, stranger.id}
                beat = a.author.record(version=NOW_MS + 1)
                a.gossip.publish([beat])
                await c.holds(beat)
                running.cancel()
        c.catalogue.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["forged", "stolen", "malformed"])
def test_a_forgery_costs_its_sender_the_link_and_goes_no_further(tmp_path: Path, kind: str) -> None:
    entry = ANNA.entry(1)
    bad = {
        "forged": _forged(entry),
        "stolen": Signed(BEN.id, entry.signed.body, entry.signed.signature),
        "malformed": Signed(ANNA.id, b"\x80", bytes(64)),
    }[kind]

    async def scenario() -> None:
        a, b, c = _nodes(tmp_path, 3)
        async with joined(a, b, c):
            good = BEN.entry(2)
            a.neighbours[b.author.id].send(Items((good.signed, bad)))
            await b.until(lambda: a.author.id in b.banned)
            late = c.author.entry(3)
            c.gossip.publish([late])
            await b.holds(late)
            assert b.catalogue.item(entry.key) is None
            assert c.catalogue.item(entry.key) is None
            assert c.author.id not in b.banned
            assert b.gossip.counters.hostile_neighbours == 1

    asyncio.run(scenario())


def test_what_is_known_already_is_not_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Signed] = []

    def counting(signed: Signed) -> Item:
        opened.append(signed)
        return real(signed)

    real = open_item
    monkeypatch.setattr(checking, "open_item", counting)

    async def scenario() -> None:
        a, b = _nodes(tmp_path, 2)
        async with joined(a, b):
            entry, marker = ANNA.entry(1), ANNA.entry(2)
            to_b = a.neighbours[b.author.id]
            to_b.send(Items((entry.signed,)))
            await b.holds(entry)
            to_b.send(Items((entry.signed,) * 3))
            to_b.send(Items((_forged(entry),)))  # no news either way: dropped unseen
            to_b.send(Items((marker.signed,)))
            await b.holds(marker)
            assert opened.count(entry.signed) == opened.count(marker.signed) == 1
            assert _forged(entry) not in opened
            assert a.author.id not in b.banned

    asyncio.run(scenario())


def test_a_flood_ends_with_the_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "TAKE_BURST", 100.0)
    monkeypatch.setattr(session, "TAKE_PER_S", 1.0)

    async def scenario() -> None:
        a, b, c = _nodes(tmp_path, 3)
        async with joined(a, b, c):
            to_b = a.neighbours[b.author.id]
            for number in range(200):
                to_b.send(Items((ANNA.entry(number).signed,)))
            await b.until(lambda: a.author.id in b.banned)
            assert "unasked" in b.banned[a.author.id]
            assert b.gossip.counters.received <= 103
            b.gossip.publish([b.author.entry(1000)])
            await c.holds(b.author.entry(1000))
            assert b.catalogue.search("").total <= 101

    asyncio.run(scenario())


def test_entries_past_the_bounds_end_with_the_link_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "REFUSE_BURST", 100.0)  # of 150 in two batches
    monkeypatch.setattr(session, "REFUSE_PER_S", 0.0)

    async def scenario() -> None:
        a, b = _nodes(tmp_path, 2, Bounds(items_per_author=50))
        async with joined(a, b):
            to_b = a.neighbours[b.author.id]
            for number in range(200):
                to_b.send(Items((ANNA.entry(number).signed,)))
            await b.until(lambda: a.author.id in b.banned)
            assert "nobody takes" in b.banned[a.author.id]
            assert b.catalogue.search("").total == 50
            assert b.gossip.counters.refused == 150

    asyncio.run(scenario())


def test_what_waits_to_be_checked_is_bounded_and_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_WAITING_BYTES", 5000)
    monkeypatch.setattr(core, "HURRY_S", 0.0)
    monkeypatch.setattr(shell, "TICK_S", 0.02)

    async def scenario() -> None:
        a, b = _nodes(tmp_path, 2)
        items = [ANNA.entry(n) for n in range(60)]
        async with joined(a, b):
            a.catalogue.add(items)  # as if pushed a moment ago
            for item in items:
                a.neighbours[b.author.id].send(Items((item.signed,)))
            await asyncio.sleep(0)  # they all arrive in one turn of the loop
            (of_a,) = b.gossip._sessions.values()
            assert 0 < of_a.waiting_bytes <= 5000
            monkeypatch.setattr(session, "MAX_WAITING_BYTES", 10**6)
            await b.holds(*items)

    asyncio.run(scenario())


@pytest.mark.parametrize(("module", "allowance"), [(session, "PUSH"), (shell, "AUTHOR")])
def test_what_may_not_be_pushed_arrives_by_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, allowance: str
) -> None:
    monkeypatch.setattr(module, f"{allowance}_BURST", 10.0)
    monkeypatch.setattr(module, f"{allowance}_PER_S", 0.0)
    monkeypatch.setattr(core, "HURRY_S", 0.0)
    monkeypatch.setattr(shell, "TICK_S", 0.02)

    async def scenario() -> None:
        a, b = _nodes(tmp_path, 2)
        async with joined(a, b):
            items = [a.author.entry(n) for n in range(30)]
            for item in items:
                a.gossip.publish([item])
            await b.holds(*items)
            pushed = a.gossip.counters.pushed
            assert pushed <= 10

    asyncio.run(scenario())


def test_an_author_who_sends_too_much_is_heard_in_part_now_and_in_the_end_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "AUTHOR_BURST", 10.0)
    monkeypatch.setattr(shell, "AUTHOR_PER_S", 0.0)
    monkeypatch.setattr(core, "HURRY_S", 0.0)
    monkeypatch.setattr(shell, "TICK_S", 0.02)

    async def scenario() -> None:
        a, b, c = _nodes(tmp_path, 3)
        async with joined(a, b, c):
            versions = [ANNA.entry(1, version=NOW_MS + n) for n in range(200)]
            other = BEN.entry(2)
            to_b = a.neighbours[b.author.id]
            for item in versions:
                to_b.send(Items((item.signed,)))
            to_b.send(Items((other.signed,)))
            await b.holds(other)  # nobody else has to wait for it
            assert sum(item.author == ANNA.id for item in b.changes) <= 10
            a.catalogue.add(versions[-1:])
            await c.holds(versions[-1], other)
            assert not b.banned

    asyncio.run(scenario())


def test_one_video_too_many_is_said_to_who_publishes_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        (a,) = _nodes(tmp_path, 1, Bounds(items_per_author=2))
        a.gossip.publish([a.author.entry(1), a.author.entry(2)])
        with pytest.raises(LocalUsageError, match="unshare"):
            a.gossip.publish([a.author.entry(3)])
        a.gossip.publish([a.author.holding(4)])  # nobody to tell: only logged
        assert a.catalogue.item(a.author.holding(4).key) is None
        a.catalogue.close()

    asyncio.run(scenario())


def test_a_disk_that_fails_costs_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "TICK_S", 0.02)
    monkeypatch.setattr(core, "ANSWER_TIMEOUT_S", 0.0)
    monkeypatch.setattr(core, "DIGEST_EVERY_S", 0.05)

    async def scenario() -> None:
        a, b = _nodes(tmp_path, 2)
        real, failures = b.catalogue.admit, [1, 2, 3]

        def failing(items: Iterable[Item]) -> Admission:
            if failures:
                failures.pop()
                raise StorageFull("the disk is full")
            return real(items)

        monkeypatch.setattr(b.catalogue, "admit", failing)
        a.catalogue.add([ANNA.entry(1)])
        async with joined(a, b):
            await b.holds(ANNA.entry(1))
            assert not b.banned

    asyncio.run(scenario())


def test_what_a_full_disk_refuses_of_our_own_is_told_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "TICK_S", 0.02)
    monkeypatch.setattr(shell, "UNTOLD_S", 0.02)

    async def scenario() -> None:
        a, b = _nodes(tmp_path, 2)
        real, refusals = a.catalogue.admit, list(range(5))
        is_refused = asyncio.Event()

        def failing(items: Iterable[Item]) -> Admission:
            refusals.pop()
            if not refusals:
                is_refused.set()
                monkeypatch.setattr(a.catalogue, "admit", real)
            raise StorageFull("the disk is full")

        async with joined(a, b):
            monkeypatch.setattr(a.catalogue, "admit", failing)
            a.gossip.tell([ANNA.entry(1)])
            a.gossip.tell([ANNA.entry(2)])
            await is_refused.wait()
            assert b.catalogue.item(ANNA.entry(1).key) is None
            await b.holds(ANNA.entry(1))
            await b.holds(ANNA.entry(2))
            assert not a.gossip._untold

    asyncio.run(scenario())


def test_a_neighbour_that_left_is_not_heard_any_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        a, b = _nodes(tmp_path, 2)
        async with joined(a, b):
            old = b.neighbours[a.author.id]
            a.part(b)
            b.gossip.control(old, Items((ANNA.entry(1).signed,)))
            a.meet(b)
            b.gossip.neighbour_down(old)  # late news of the old link
            b.gossip.control(old, Items((ANNA.entry(1).signed,)))
            a.gossip.publish([ANNA.entry(2)])
            await b.holds(ANNA.entry(2))
            assert b.catalogue.item(ANNA.entry(1).key) is None

    asyncio.run(scenario())


def test_a_broken_rule_is_raised_to_the_link(tmp_path: Path) -> None:
    async def scenario() -> None:
        a, b = _nodes(tmp_path, 2)
        async with joined(a, b):
            with pytest.raises(RemoteProtocolError):
                b.gossip.control(b.neighbours[a.author.id], Want(bytes(15)))

    asyncio.run(scenario())


def test_ten_thousand_entries_reach_a_new_node(tmp_path: Path) -> None:
    async def scenario() -> None:
        full, new = _nodes(tmp_path, 2)
        full.catalogue.add([ANNA.entry(n) for n in range(10_000)])
        async with joined(full, new):
            await new.until(lambda: len(new.changes) >= 10_000)
            assert new.catalogue.buckets() == full.catalogue.buckets()
            assert new.catalogue.search("video").total == 10_000
            assert new.catalogue.search("9999").videos[0].video == video_id(9999)

    asyncio.run(scenario())
