"""Nodes that find each other by multicast DNS on the loopback interface."""

import asyncio
import logging
import os

import pytest
from neighbour_nodes import until
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from headwater.discovery import lan
from headwater.discovery.lan import SERVICE, LanDiscovery, describe
from headwater.node.config import DiscoveryConfig
from headwater.wire.ids import NodeId

HERE = DiscoveryConfig(interface="127.0.0.1")
Findings = asyncio.Queue[tuple[NodeId, list[str]]]


def discovery(
    node: NodeId,
    addresses: list[str],
    findings: Findings,
    config: DiscoveryConfig = HERE,
    poll_s: float | None = None,
) -> LanDiscovery:
    def found(node: NodeId, addresses: object) -> None:
        assert isinstance(addresses, list)
        findings.put_nowait((node, addresses))

    # a list of the test's own: what is in it is announced, now and when it changes
    return LanDiscovery(config, node, lambda: ("somebody", tuple(addresses)), found, poll_s=poll_s)


async def expect(findings: Findings, node: NodeId, addresses: list[str]) -> None:
    """Other nodes of this machine may be found as well."""
    async with asyncio.timeout(10):
        while (await findings.get()) != (node, addresses):
            pass


def new_node() -> NodeId:
    return NodeId(os.urandom(32))


def test_two_nodes_find_each_other_and_hear_of_a_move() -> None:
    async def check() -> None:
        a, b = new_node(), new_node()
        at_a, at_b = Findings(64), Findings(64)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(discovery(a, ["127.0.0.1:4001"], at_a).run())
            second = group.create_task(discovery(b, ["127.0.0.1:4002"], at_b).run())
            await expect(at_a, b, ["127.0.0.1:4002"])
            await expect(at_b, a, ["127.0.0.1:4001"])
            second.cancel()
            await asyncio.wait([second])
            third = group.create_task(discovery(b, ["127.0.0.1:4003"], Findings(64)).run())
            await expect(at_a, b, ["127.0.0.1:4003"])
            first.cancel()
            third.cancel()

    asyncio.run(check())


@pytest.mark.parametrize("is_polled", [True, False])
def test_a_node_that_changes_networks_announces_itself_anew(is_polled: bool) -> None:
    async def check() -> None:
        a, b = new_node(), new_node()
        at_a, places = Findings(64), ["127.0.0.1:4002"]
        moving = discovery(b, places, Findings(64), poll_s=0.01 if is_polled else None)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(discovery(a, ["127.0.0.1:4001"], at_a).run())
            second = group.create_task(moving.run())
            await expect(at_a, b, ["127.0.0.1:4002"])
            places[:] = ["127.0.0.1:4003", "192.0.2.7:4003"]
            if not is_polled:
                moving.look_again()
            await expect(at_a, b, ["127.0.0.1:4003", "192.0.2.7:4003"])
            first.cancel()
            second.cancel()

    asyncio.run(check())


def test_a_node_bound_to_one_address_looks_only_when_told() -> None:
    async def check() -> None:
        looks = asyncio.Queue[None](64)

        def own() -> tuple[str, tuple[str, ...]]:
            loop.call_soon_threadsafe(looks.put_nowait, None)
            return "somebody", ("127.0.0.1:4001",)

        loop = asyncio.get_running_loop()
        quiet = LanDiscovery(HERE, new_node(), own, lambda node, at: None, poll_s=None)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            running = group.create_task(quiet.run())
            await looks.get()
            assert looks.empty()
            quiet.look_again()
            await looks.get()
            assert looks.empty()
            running.cancel()

    asyncio.run(check())


def test_malformed_announcements_and_our_own_are_passed_over() -> None:
    async def check() -> None:
        a, b = new_node(), new_node()
        at_a = Findings(64)
        zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
        try:
            for number, properties in enumerate(
                (
                    {},
                    {"id": "nonsense"},
                    {"id": b.hex()},
                    {"id": b.hex(), "addresses": "x,0.0.0.0:1"},
                )
            ):
                info = AsyncServiceInfo(
                    SERVICE,
                    f"bad {number} {b.hex()[:8]}.{SERVICE}",
                    port=1,
                    server=f"{b.hex()[:8]}.local.",
                    parsed_addresses=["127.0.0.1"],
                    properties=properties,
                )
                await zeroconf.async_register_service(info, cooperating_responders=True)
            async with asyncio.TaskGroup() as group:
                first = group.create_task(discovery(a, ["127.0.0.1:4001"], at_a).run())
                second = group.create_task(discovery(b, ["127.0.0.1:4002"], Findings(64)).run())
                await expect(at_a, b, ["127.0.0.1:4002"])
                first.cancel()
                second.cancel()
        finally:
            await zeroconf.async_close()

    asyncio.run(check())


def test_a_network_that_does_not_allow_it_is_a_warning_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "RETRY_S", 0.01)
    tries: list[object] = []

    def refuse(**arguments: object) -> AsyncZeroconf:
        tries.append(arguments)
        raise OSError("No such device")

    monkeypatch.setattr(lan, "AsyncZeroconf", refuse)

    async def check() -> None:
        async with asyncio.TaskGroup() as group:
            config = DiscoveryConfig(interface="203.0.113.9")
            task = group.create_task(discovery(new_node(), [], Findings(1), config).run())
            await until(lambda: len(tries) == 3)
            assert not task.done()
            task.cancel()

    with caplog.at_level(logging.WARNING):
        asyncio.run(check())
    assert [record.message for record in caplog.records] == ["discovery.lan_unavailable"]
    assert tries[0] == {"interfaces": ["203.0.113.9"], "ip_version": IPVersion.V4Only}


def test_a_node_without_addresses_can_be_described() -> None:
    assert describe(new_node(), "", [])["addresses"] == ""
