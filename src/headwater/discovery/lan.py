"""Finding other nodes on this network, and being found: DNS-SD over multicast DNS."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence

from zeroconf import Error as ZeroconfError
from zeroconf import InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from headwater.errors import RemoteProtocolError
from headwater.link.addresses import dialable, parse
from headwater.node.config import DiscoveryConfig
from headwater.wire.ids import NodeId, parse_hex_id, short_id

__all__ = [
    "ADDRESS_POLL_S",
    "SERVICE",
    "Announced",
    "Found",
    "LanDiscovery",
    "describe",
    "understand",
]

SERVICE = "_headwater._udp.local."
MAX_TXT_BYTES = 255
"""Of one `key=value`. Source: RFC 6763, section 6.1."""
MAX_PENDING = 256
RESOLVE_TIMEOUT_MS = 2000
RETRY_S = 30.0
ADDRESS_POLL_S = 3.0
"""How often a machine that may change networks looks at its addresses."""
_INSTANCE_DIGITS = 40
"""A DNS label holds 63 bytes; so many digits of an id are as unique."""

Found = Callable[[NodeId, Sequence[str]], None]
Announced = tuple[str, tuple[str, ...]]
"""A node's name and its addresses."""

log = logging.getLogger(__name__)


class LanDiscovery:
    """Announces this node and tells `found` of others: again whenever one's addresses change.

    What is found is a rumour: whoever dials by node id finds out whether it is true."""

    def __init__(
        self,
        config: DiscoveryConfig,
        node: NodeId,
        own: Callable[[], Announced],
        found: Found,
        *,
        poll_s: float | None = ADDRESS_POLL_S,
    ) -> None:
        """`own`: what to announce, asked in a thread every `poll_s` (None: only when told)."""
        self._config, self._node, self._own = config, node, own
        self._found, self._poll_s = found, poll_s
        self._look = asyncio.Event()
        self._names: asyncio.Queue[str] = asyncio.Queue(MAX_PENDING)

    def look_again(self) -> None:
        """What is to be announced may have changed."""
        self._look.set()

    async def run(self) -> None:
        """Until cancelled. A network that does not allow it is a warning; it is tried again
        later."""
        is_told = False
        announced: Announced = ("", ())
        while True:
            try:
                announced = await asyncio.to_thread(self._own)
                await self._run_once(announced)
                continue
            except (OSError, RuntimeError, ZeroconfError) as error:  # RuntimeError: no interface
                level = logging.DEBUG if is_told else logging.WARNING
                log.log(level, "discovery.lan_unavailable", extra={"reason": str(error)})
                is_told = True
            try:
                async with asyncio.timeout(RETRY_S):
                    await self._until_changed(announced)
            except TimeoutError:
                pass

    async def _until_changed(self, announced: Announced) -> None:
        """Until there is something else to announce."""
        while True:
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()  # before the look: what changes during it is looked at again
            if await asyncio.to_thread(self._own) != announced:
                return

    async def _run_once(self, announced: Announced) -> None:
        """Until something changed. Sockets are opened anew then: a new network has others."""
        one = self._config.interface
        zeroconf = AsyncZeroconf(
            interfaces=[one] if one else InterfaceChoice.All, ip_version=IPVersion.V4Only
        )
        browser, failure = None, None
        try:
            await zeroconf.zeroconf.async_wait_for_start()
            browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[self._heard])
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(
                        self._announce(zeroconf, announced), name="discovery.announce"
                    ),
                    group.create_task(self._resolve(zeroconf.zeroconf), name="discovery.resolve"),
                ]
                await self._until_changed(announced)
                for task in tasks:
                    task.cancel()
        except* (OSError, ZeroconfError) as errors:
            failure = errors.exceptions[0]
        finally:
            with contextlib.suppress(ZeroconfError):
                await zeroconf.zeroconf.async_wait_for_start()  # else its sockets would stay open
            if browser is not None:
                await browser.async_cancel()
            await zeroconf.async_close()
        if failure is not None:
            raise failure

    async def _announce(self, zeroconf: AsyncZeroconf, announced: Announced) -> None:
        # The instance's name is ours alone: nothing needs to be probed for, which saves 0.7 s.
        service = self._service(*announced)
        await (await zeroconf.async_register_service(service, cooperating_responders=True))

    def _service(self, name: str, addresses: Sequence[str]) -> AsyncServiceInfo:
        local = [parse(address) for address in addresses]
        instance = self._node.hex()[:_INSTANCE_DIGITS]
        return AsyncServiceInfo(
            SERVICE,
            f"{instance}.{SERVICE}",
            port=local[0].port if local else 0,
            server=f"{instance}.local.",
            parsed_addresses=list(dict.fromkeys(str(a.ip) for a in local if a.ip.version == 4)),
            properties=describe(self._node, name, addresses),
        )

    def _heard(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        is_news = state_change is not ServiceStateChange.Removed
        if is_news and not self._names.full():  # full: a flood, and what is real is said again
            self._names.put_nowait(name)

    async def _resolve(self, zeroconf: Zeroconf) -> None:
        while True:
            name = await self._names.get()
            try:
                service = AsyncServiceInfo(SERVICE, name)
                is_known = await service.async_request(zeroconf, RESOLVE_TIMEOUT_MS)
            except ZeroconfError as error:  # a name that breaks the rules is its owner's loss
                log.debug("discovery.lan_malformed", extra={"reason": str(error)})
                continue
            if is_known:
                self.tell(service.properties)

    def tell(self, properties: Mapping[bytes, bytes | None]) -> None:
        """Pass on what a service says of itself, unless it is no node, or this one."""
        try:
            node, addresses = understand(properties)
        except RemoteProtocolError as error:
            log.debug("discovery.lan_malformed", extra={"reason": str(error)})
            return
        if node != self._node and addresses:
            log.debug("discovery.lan_found", extra={"node": short_id(node)})
            self._found(node, addresses)


def describe(node: NodeId, name: str, addresses: Sequence[str]) -> dict[str, str]:
    """The properties (TXT) of a node: `id`, `name`, and as many of its `addresses` as fit."""
    fitting = ""
    for address in addresses:
        longer = f"{fitting},{address}" if fitting else address
        if len(f"addresses={longer}") > MAX_TXT_BYTES:
            break
        fitting = longer
    room = MAX_TXT_BYTES - len("name=")
    short_name = name.encode()[:room].decode(errors="ignore")
    return {"id": node.hex(), "name": short_name, "addresses": fitting}


def understand(properties: Mapping[bytes, bytes | None]) -> tuple[NodeId, list[str]]:
    """Who is where. Raises: RemoteProtocolError."""
    text = {key: (value or b"").decode("ascii", "replace") for key, value in properties.items()}
    node = NodeId(parse_hex_id(text.get(b"id", "")))
    return node, dialable(text.get(b"addresses", "").split(","))
