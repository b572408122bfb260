"""Who ends up linked with whom: dialling, both at once, limits, bans, meshes, coming back."""

import asyncio
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from link_worlds import LOOPBACK
from neighbour_nodes import (
    PATIENT,
    Person,
    hand_dial,
    keys,
    living,
    memory_endpoint,
    people,
    person,
    signed_record,
    until,
)

from headwater.errors import Forbidden, LocalUsageError, NodeError, Unavailable
from headwater.link.iroh import bind
from headwater.link.memory import MemoryLink, Network
from headwater.link.port import Link, LinkClosed, Stream
from headwater.node import neighbour_kept, neighbours
from headwater.node.config import LinkConfig
from headwater.node.neighbour_hello import Refused, WrongMesh
from headwater.wire.frames import encode
from headwater.wire.ids import NodeId
from headwater.wire.messages import Hello


async def dialled(a: Person, b: Person) -> None:
    await a.neighbours.dial(b.node, b.addresses)
    await b.recorder.wait("up")


async def attempt(a: Person, b: Person) -> bool:
    return await attempt_at(a, b, b.addresses)


async def attempt_at(a: Person, b: Person, addresses: Sequence[str]) -> bool:
    try:
        await a.neighbours.dial(b.node, addresses)
    except NodeError:
        return False
    return True


async def same_link(a: Person, b: Person) -> None:
    """Wait until both have exactly one link, and it is the same one: what goes in here comes out
    there."""
    async with asyncio.timeout(10):
        while True:
            ours, theirs = a.neighbours.get(b.node), b.neighbours.get(a.node)
            if ours and theirs and ours.link.is_dialler != theirs.link.is_dialler:
                try:
                    sent = await ours.link.open_stream()
                    await sent.write(b"")
                    break
                except LinkClosed:
                    pass
            await asyncio.sleep(0.001)


def test_a_dial_makes_each_the_other_s_neighbour() -> None:
    async def check() -> None:
        async with people(2) as (a, b):
            found = await a.neighbours.dial(b.node, b.addresses)
            await b.recorder.wait("up")
            assert found is a.neighbours.get(b.node)
            assert (found.node, found.record.name) == (b.node, "somebody")
            assert found.signed == b.signed()
            assert set(b.neighbours.connected()) == {a.node}
            assert await a.neighbours.dial(b.node, ()) is found
            assert (a.neighbours.counters.dials, b.neighbours.counters.accepted) == (1, 1)

    asyncio.run(check())


def test_several_who_dial_the_same_node_share_one_dial() -> None:
    async def check() -> None:
        async with people(2) as (a, b), asyncio.TaskGroup() as group:
            dials = [group.create_task(a.neighbours.dial(b.node, b.addresses)) for _ in range(5)]
            dials[0].cancel()
            await asyncio.wait(dials)
            assert len({id(dial.result()) for dial in dials[1:]}) == 1
            assert a.neighbours.counters.dials == 1

    asyncio.run(check())


@pytest.mark.parametrize("lead", range(-6, 7))
def test_two_that_dial_each_other_end_with_one_link(lead: int) -> None:
    """`lead`: how many turns of the loop one of them is ahead; every interleaving ends the same
    way."""

    async def later(turns: int, a: Person, b: Person) -> bool:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await attempt(a, b)

    async def check() -> None:
        async with people(2, seed=lead) as (a, b):
            reached = await asyncio.gather(later(max(lead, 0), a, b), later(max(-lead, 0), b, a))
            assert all(reached)
            await same_link(a, b)
            for each in (a, b):
                ups, downs = each.recorder.of("up"), each.recorder.of("down")
                assert len(ups) - len(downs) == 1
                kinds = [kind for kind, _, _ in each.recorder.seen]
                assert kinds == ["up", "down"] * len(downs) + ["up"]

    asyncio.run(check())


def test_two_that_dial_each_other_over_iroh_end_with_one_link() -> None:
    async def check() -> None:
        for _ in range(5):
            a, b = [person(await bind(key.private_bytes_raw(), LOOPBACK), key) for key in keys(2)]
            async with living(a, b):
                assert all(await asyncio.gather(attempt(a, b), attempt(b, a)))
                await same_link(a, b)

    asyncio.run(check())


def test_a_kept_node_is_dialled_again_when_its_link_is_gone() -> None:
    async def check() -> None:
        async with people(2) as (a, b):
            a.neighbours.keep(b.node, b.addresses)
            for times in range(1, 4):
                up = await a.recorder.wait("up", times)
                await b.recorder.wait("up", times)
                up.link.close("a test")
                await a.recorder.wait("down", times)
            assert a.recorder.of("down") == ["the link was closed: a test"] * 3

    asyncio.run(check())


def test_a_kept_node_that_moved_is_found_at_its_new_address() -> None:
    async def check() -> None:
        network = Network()
        first, second = keys(2)
        a = person(memory_endpoint(network, first), first)
        old = person(memory_endpoint(network, second), second)
        new = person(memory_endpoint(network, second), second)
        async with living(a):
            a.neighbours.keep(old.node, old.addresses)
            async with living(old):
                await a.recorder.wait("up")
            await a.recorder.wait("down")
            async with living(new):
                a.neighbours.keep(new.node, new.addresses)
                await a.recorder.wait("up", 2)

    asyncio.run(check())


def test_a_node_kept_before_the_start_is_dialled_at_the_start_and_a_forgotten_one_is_not() -> None:
    async def check() -> None:
        network = Network()
        a, b, c = [person(memory_endpoint(network, key), key) for key in keys(3)]
        for other in (b, c):
            a.neighbours.keep(other.node, other.addresses)
        a.neighbours.keep(a.node, a.addresses)
        a.neighbours.forget(c.node)
        async with living(a, b, c):
            await a.recorder.wait("up")
            assert set(a.neighbours.connected()) == {b.node}

    asyncio.run(check())


def test_no_more_nodes_are_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_kept, "MAX_KEPT", 1)

    async def check() -> None:
        async with people(3) as (a, b, c):
            a.neighbours.keep(b.node, b.addresses)
            a.neighbours.keep(c.node, c.addresses)
            await a.recorder.wait("up")
            await a.neighbours.dial(c.node, c.addresses)
            a.neighbours.connected()[c.node].link.close("a test")
            a.neighbours.connected()[b.node].link.close("a test")
            assert (await a.recorder.wait("up", 3)).node == b.node

    asyncio.run(check())


def test_a_full_node_sends_newcomers_away_and_does_not_dial() -> None:
    async def check() -> None:
        async with people(3, LinkConfig(max_peers=1, silence_s=60)) as (a, b, c):
            await dialled(a, b)
            with pytest.raises(Refused, match="all the links") as refused:
                await c.neighbours.dial(a.node, a.addresses)
            assert refused.value.retry
            assert a.neighbours.counters.refused_full == 1
            with pytest.raises(Unavailable, match="max-peers"):
                await b.neighbours.dial(c.node, c.addresses)
            assert set(a.neighbours.connected()) == {b.node}

    asyncio.run(check())


def test_a_topology_keeps_apart_who_is_not_named_in_it() -> None:
    async def check() -> None:
        network = Network(0)
        apart, beside = (LinkConfig(silence_s=60, only=(name,)) for name in ("else", "somebody"))
        a, b, c = (
            person(memory_endpoint(network, key), key, config)
            for key, config in zip(keys(3), (apart, PATIENT, beside), strict=True)
        )
        async with living(a, b, c):
            with pytest.raises(Refused, match="topology"):
                await b.neighbours.dial(a.node, a.addresses)
            with pytest.raises(Forbidden, match="topology"):
                await a.neighbours.dial(b.node, b.addresses)
            assert not a.neighbours.connected()
            await dialled(b, c)

    asyncio.run(check())


def test_a_banned_node_is_closed_and_neither_dialled_nor_accepted() -> None:
    async def check() -> None:
        async with people(2) as (a, b):
            await dialled(a, b)
            a.neighbours.ban(b.node, "false blocks")
            assert "false blocks" in await b.recorder.wait("down")
            assert "false blocks" in await a.recorder.wait("down")
            with pytest.raises(Forbidden):
                await a.neighbours.dial(b.node, b.addresses)
            with pytest.raises(Unavailable):
                await b.neighbours.dial(a.node, a.addresses)
            assert a.neighbours.counters.refused_banned == 1
            assert not a.neighbours.connected()

    asyncio.run(check())


def test_a_node_does_not_dial_itself() -> None:
    async def check() -> None:
        async with people(1) as (a,):
            with pytest.raises(LocalUsageError):
                await a.neighbours.dial(a.node, a.addresses)

    asyncio.run(check())


@pytest.mark.parametrize(("ours", "theirs"), [("s3cret", ""), ("", "s3cret"), ("s3cret", "other")])
def test_nodes_of_different_meshes_do_not_link(ours: str, theirs: str) -> None:
    async def check() -> None:
        network = Network()
        a, b = [
            person(memory_endpoint(network, key), key, LinkConfig(mesh_secret=secret))
            for key, secret in zip(keys(2), (ours, theirs), strict=True)
        ]
        async with living(a, b):
            for dialler, acceptor in ((a, b), (b, a)):
                with pytest.raises((WrongMesh, Refused)) as refused:
                    await dialler.neighbours.dial(acceptor.node, acceptor.addresses)
                assert not isinstance(refused.value, Refused) or not refused.value.retry
                assert acceptor.neighbours.counters.refused_mesh == 1
            assert not a.recorder.seen
            assert not b.recorder.seen

    asyncio.run(check())


def test_nodes_of_one_closed_mesh_link() -> None:
    async def check() -> None:
        async with people(2, LinkConfig(mesh_secret="s3cret", silence_s=60)) as (a, b):
            await dialled(a, b)

    asyncio.run(check())


def test_a_stranger_learns_nothing_from_a_closed_mesh() -> None:
    """What the other side says to a wrong proof is a goodbye; its record is not in it."""

    async def check() -> None:
        network = Network()
        own, stranger = keys(2)
        closed = person(memory_endpoint(network, own), own, LinkConfig(mesh_secret="s3cret"))
        async with living(closed):
            link = await memory_endpoint(network, stranger).connect(closed.node, closed.addresses)
            control = await link.open_stream()
            said = await control_reply(control, stranger)
            assert b"hello" not in said
            assert b"bye" in said
            await link.wait_closed()

    asyncio.run(check())


async def control_reply(control: Stream, key: Ed25519PrivateKey) -> bytes:
    """All that it says to a hello with a proof that is none."""
    await control.write(encode(Hello(signed_record(key), b"x" * 32)))
    said = bytearray()
    while part := await control.read(4096):
        said += part
    return bytes(said)


def test_a_node_that_was_started_anew_takes_the_place_of_its_silent_link() -> None:
    """The smaller id's own dial would win, but its link has gone quiet: the other side has died and
    come back."""

    async def check() -> None:
        network = Network()
        small, large = keys(2)
        a = person(memory_endpoint(network, small), small, LinkConfig(silence_s=2.0))
        b = person(memory_endpoint(network, large), large, LinkConfig(silence_s=60))
        async with living(a, b):
            first = await a.neighbours.dial(b.node, b.addresses)
            assert isinstance(first.link, MemoryLink)
            first.link.freeze(True)
            again = memory_endpoint(network, large)
            async with asyncio.timeout(10):
                while True:
                    try:
                        await hand_dial(again, large, a)
                        break
                    except LinkClosed:
                        await asyncio.sleep(0.05)
            assert "replaced" in a.recorder.of("down")[0]
            assert not (await a.recorder.wait("up", 2)).link.is_dialler

    asyncio.run(check())


def test_dialling_before_the_start_is_unavailable() -> None:
    async def check() -> None:
        key = keys(1)[0]
        a = person(memory_endpoint(Network(), key), key, PATIENT)
        with pytest.raises(Unavailable):
            await a.neighbours.dial(NodeId(bytes(32)), ())

    asyncio.run(check())


@pytest.mark.parametrize("kind", ["memory", "iroh"])
def test_a_blocked_node_gets_no_link_either_way_until_it_is_unblocked(kind: str) -> None:
    async def check() -> None:
        network, blocked = Network(), set[NodeId]()
        first, second = keys(2)
        ends = [
            memory_endpoint(network, key)
            if kind == "memory"
            else await bind(key.private_bytes_raw(), LOOPBACK)
            for key in (first, second)
        ]
        a, b = person(ends[0], first, blocked=blocked), person(ends[1], second)
        async with living(a, b):
            await dialled(a, b)
            blocked.add(b.node)
            a.neighbours.part(b.node, "blocked")
            assert "blocked" in await a.recorder.wait("down")
            assert "blocked" in await b.recorder.wait("down")
            with pytest.raises(Forbidden, match="--unblock"):
                await a.neighbours.dial(b.node, b.addresses)
            with pytest.raises(Unavailable):
                await b.neighbours.dial(a.node, a.addresses)
            assert a.neighbours.counters.refused_banned == 1
            blocked.clear()
            await b.neighbours.dial(a.node, a.addresses)
            await a.recorder.wait("up", 2)

    asyncio.run(check())


def test_who_is_blocked_while_a_dial_is_under_way_gets_no_link() -> None:
    async def check() -> None:
        network, blocked = Network(), set[NodeId]()
        first, second = keys(2)
        a = person(memory_endpoint(network, first), first, blocked=blocked)
        b = person(memory_endpoint(network, second), second)
        for turns in range(12):
            async with living(a, b), asyncio.TaskGroup() as group:
                dial = group.create_task(attempt(a, b))
                for _ in range(turns):
                    await asyncio.sleep(0)
                blocked.add(b.node)
                a.neighbours.part(b.node, "blocked")
                await dial
                if a.recorder.of("up"):
                    await a.recorder.wait("down", len(a.recorder.of("up")))
                assert not a.neighbours.connected()
            blocked.clear()
            a = person(memory_endpoint(network, first), first, blocked=blocked)
            b = person(memory_endpoint(network, second), second)

    asyncio.run(check())


def test_who_has_moved_is_found_while_a_dial_to_the_old_place_gets_no_answer() -> None:
    async def check() -> None:
        network, is_stuck = Network(), asyncio.Event()
        first, second = keys(2)
        endpoint = memory_endpoint(network, first)
        connect = endpoint.connect

        async def connect_or_hang(node: NodeId, addresses: Sequence[str]) -> Link:
            if list(addresses) != ["old"]:
                return await connect(node, addresses)
            is_stuck.set()
            await asyncio.Event().wait()
            raise AssertionError

        endpoint.connect = connect_or_hang  # type: ignore[method-assign,assignment]
        a, b = person(endpoint, first), person(memory_endpoint(network, second), second)
        async with living(a, b), asyncio.TaskGroup() as group:
            old = group.create_task(attempt_at(a, b, ["old"]), name="old")
            await is_stuck.wait()
            same = group.create_task(attempt_at(a, b, ["old"]), name="same")
            new = group.create_task(attempt(a, b), name="new")
            assert (await old, await new, await same) == (True, True, True)
            assert set(a.neighbours.connected()) == {b.node}
            assert a.neighbours.counters.dials == 1

    asyncio.run(check())


def test_a_dial_takes_up_no_more_addresses_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MAX_DIALLED", 2)

    async def check() -> None:
        first, second = keys(2)
        endpoint = memory_endpoint(Network(), first)
        tried, give_up = list[list[str]](), asyncio.Event()

        async def connect(node: NodeId, addresses: Sequence[str]) -> Link:
            tried.append(list(addresses))
            await give_up.wait()
            raise Unavailable("nobody is there")

        endpoint.connect = connect  # type: ignore[method-assign,assignment]
        a, b = person(endpoint, first), person(memory_endpoint(Network(), second), second)
        async with living(a), asyncio.TaskGroup() as group:
            group.create_task(attempt_at(a, b, ["1"]), name="first")
            await until(lambda: len(tried) == 1)
            group.create_task(attempt_at(a, b, ["2"]), name="second")
            await until(lambda: len(tried) == 2)
            group.create_task(attempt_at(a, b, ["3"]), name="third")
            await asyncio.sleep(0)  # it has joined the dial
            give_up.set()
        assert tried == [["1"], ["2", "1"]]

    asyncio.run(check())
