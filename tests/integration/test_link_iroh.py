"""What is particular to links over iroh: sockets, settings, calls that outlive their waiters."""

import asyncio
import errno
import gc
import socket

import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from link_worlds import LOOPBACK, WORLDS, linked
from neighbour_nodes import until

from headwater.errors import Conflict, LocalUsageError, Unavailable
from headwater.link.foreign import Call
from headwater.link.iroh import bind
from headwater.link.port import LinkClosed
from headwater.link.shaped import ShapedEndpoint
from headwater.node.config import LinkConfig


def secret() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes_raw()


def udp_sockets() -> set[tuple[str, int]]:
    found = psutil.Process().net_connections("udp")
    return {(each.laddr.ip, each.laddr.port) for each in found}


def test_the_node_id_is_the_public_key() -> None:
    async def check() -> None:
        key = Ed25519PrivateKey.generate()
        endpoint = await bind(key.private_bytes_raw(), LOOPBACK)
        assert endpoint.node == key.public_key().public_bytes_raw()
        await endpoint.close()

    asyncio.run(check())


def test_bound_to_loopback_nothing_is_open_to_others() -> None:
    async def check() -> None:
        before = udp_sockets()
        endpoint = await bind(secret(), LOOPBACK)
        opened = udp_sockets() - before
        # For its first second iroh also asks the router for a port, from a socket of its own.
        await until(lambda: {ip for ip, _ in udp_sockets() - before} <= {"127.0.0.1", "::1"})
        (address,) = endpoint.addresses()
        assert tuple(address.split(":")) in {(ip, str(port)) for ip, port in opened}
        await endpoint.close()

    asyncio.run(check())


def test_bound_to_everything_it_lists_the_machine_s_own_addresses() -> None:
    async def check() -> None:
        endpoint = await bind(secret(), LinkConfig())
        listed = {address.rpartition(":")[0] for address in endpoint.addresses()}
        await endpoint.close()
        assert listed
        assert not listed & {"0.0.0.0", "[::]"}
        has_others = any(
            each.family == socket.AF_INET and not each.address.startswith("127.")
            for addresses in psutil.net_if_addrs().values()
            for each in addresses
        )
        assert ("127.0.0.1" in listed) is not has_others

    asyncio.run(check())


def test_a_port_that_is_taken_is_a_conflict_that_names_it() -> None:
    async def check() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(Conflict, match=address):
                await bind(secret(), LinkConfig(bind=address))

    asyncio.run(check())


@pytest.mark.parametrize("config", [LinkConfig(bind="home:1"), LinkConfig(relay="no url")])
def test_settings_that_make_no_sense_are_named(config: LinkConfig) -> None:
    async def check() -> None:
        with pytest.raises(LocalUsageError, match=r"home:1|no url"):
            await bind(secret(), config)

    asyncio.run(check())


def test_a_relay_that_cannot_be_reached_does_not_hinder_direct_links() -> None:
    async def check() -> None:
        config = LinkConfig(bind="127.0.0.1:0", relay="http://127.0.0.1:9")
        a, b = await bind(secret(), config), await bind(secret(), config)
        near, _ = await asyncio.gather(a.connect(b.node, b.addresses()), b.accept())
        assert near.peer == b.node
        await a.close()
        await b.close()

    asyncio.run(check())


def test_a_delay_in_the_settings_shapes_the_links() -> None:
    async def check() -> None:
        endpoint = await bind(secret(), LinkConfig(bind="127.0.0.1:0", delay_ms=40))
        assert isinstance(endpoint, ShapedEndpoint)
        await endpoint.close()

    asyncio.run(check())


def test_a_node_without_any_address_is_unavailable() -> None:
    async def check() -> None:
        endpoint = await bind(secret(), LOOPBACK)
        with pytest.raises(Unavailable, match="no address"):
            await endpoint.connect(endpoint.node, ["0.0.0.0:5", "nonsense"])
        await endpoint.close()

    asyncio.run(check())


def test_a_link_tells_its_path() -> None:
    async def check() -> None:
        async with linked(WORLDS["iroh"]) as (near, _):
            name, rtt_s = near.path()
            assert name.startswith("direct 127.0.0.1:")
            assert rtt_s is not None
            near.close("done")
            near.path()

    asyncio.run(check())


def test_whatever_still_waits_when_the_loop_ends_harms_nothing() -> None:
    """A call that iroh answers after the loop is gone would end in an error on iroh's thread."""

    async def leave_waiting() -> None:
        a, b = await bind(secret(), LOOPBACK), await bind(secret(), LOOPBACK)
        near, far = await asyncio.gather(a.connect(b.node, b.addresses()), b.accept())
        streams = [await near.open_stream() for _ in range(5)]
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(stream.read(1)) for stream in streams]
            waiting.append(group.create_task(far.accept_stream()))  # type: ignore[arg-type]
            waiting.append(group.create_task(a.accept()))  # type: ignore[arg-type]
            await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
        await a.close()
        await b.close()

    for _ in range(10):
        asyncio.run(leave_waiting())
        gc.collect()


def test_a_call_keeps_its_result_for_the_next_waiter() -> None:
    async def check() -> None:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def work() -> int:
            return await answer + 1

        call = Call(work())
        async with asyncio.TaskGroup() as group:
            waiter = group.create_task(call.result())
            await asyncio.sleep(0)
            waiter.cancel()
        assert waiter.cancelled()
        answer.set_result(1)
        assert await call.result() == 2
        with pytest.raises(asyncio.InvalidStateError):
            await call.result()

    asyncio.run(check())


def test_a_call_that_fails_is_over() -> None:
    async def work() -> None:
        raise OSError(errno.EIO, "broken")

    async def check() -> None:
        call = Call(work())
        with pytest.raises(OSError, match="broken"):
            await call.result()
        assert call.is_over
        call.drop()

    asyncio.run(check())


def test_streams_that_nobody_holds_any_more_do_not_pile_up() -> None:
    async def check() -> None:
        async with linked(WORLDS["iroh"]) as (near, far):
            for _ in range(300):  # more than one side may have open at once
                ours = await near.open_stream()
                await ours.write(b"x")
                await ours.finish()
                theirs = await far.accept_stream()
                assert await theirs.read(10) == b"x"
                theirs.reset()
                with pytest.raises(LinkClosed):
                    await ours.read(1)

    asyncio.run(check())
