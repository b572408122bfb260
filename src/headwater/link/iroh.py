"""Links over iroh (QUIC): dialled by public key, authenticated and encrypted both ways."""

import asyncio
import contextlib
from collections.abc import Sequence
from weakref import WeakSet

from iroh import (
    BiStream,
    Connection,
    EndpointAddr,
    EndpointBuilder,
    EndpointId,
    Incoming,
    IrohError,
    RelayMode,
)
from iroh import Endpoint as Socket

from headwater.errors import Conflict, LocalUsageError, Unavailable
from headwater.link import iroh_bytes
from headwater.link.addresses import dialable, parse, reachable, sockets_for
from headwater.link.foreign import Call
from headwater.link.iroh_lane import IrohLane
from headwater.link.iroh_stream import IrohStream, closed
from headwater.link.lane_door import LaneDoor
from headwater.link.port import Endpoint, LinkClosed, Stream
from headwater.link.shaped import ShapedEndpoint
from headwater.node.config import LinkConfig
from headwater.wire.ids import NodeId, short_id
from headwater.wire.messages import PROTOCOL

__all__ = ["IrohEndpoint", "IrohLink", "bind"]

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0
MAX_INCOMING_STREAMS = 128
RECEIVE_WINDOW_BYTES = 64 * 1024 * 1024
"""What one neighbour can make us hold at most, over all its streams."""
_MAX_REASON_BYTES = 200


class IrohLink:
    """A `Link` over one QUIC connection."""

    def __init__(self, connection: Connection, door: LaneDoor, *, is_dialler: bool) -> None:
        self._connection = connection
        self._peer = NodeId(connection.remote_id().to_bytes())
        self._is_dialler = is_dialler
        self._accepting: Call[BiStream] | None = None
        self._streams: WeakSet[IrohStream] = WeakSet()
        self._reason: str | None = None
        connection.set_max_concurrent_bi_streams(MAX_INCOMING_STREAMS)
        connection.set_receive_window(RECEIVE_WINDOW_BYTES)
        self._lane = IrohLane(connection, door, is_dialler=is_dialler)

    @property
    def peer(self) -> NodeId:
        return self._peer

    @property
    def is_dialler(self) -> bool:
        return self._is_dialler

    def path(self) -> tuple[str, float | None]:
        for path in self._connection.paths():
            if path.is_selected:
                name = "relay" if path.is_relay else f"direct {path.remote_addr}"
                return name, path.rtt_ms / 1000
        return "no path", None

    @property
    def has_lane(self) -> bool:
        return self._lane.is_up

    def want_lane(self) -> None:
        self._lane.want()

    async def open_stream(self, *, priority: int = 0, by_lane: bool = False) -> Stream:
        on_lane = self._lane.open_stream(priority) if by_lane else None
        if on_lane is not None:
            return on_lane
        try:
            pair = await Call(self._connection.open_bi()).result()
        except IrohError as error:
            raise closed(error) from error
        stream = self._keep(pair)
        if priority:
            stream.set_priority(priority)
        return stream

    async def accept_stream(self, *, by_lane: bool = False) -> Stream:
        if by_lane:
            return await self._lane.accept_stream()
        if self._accepting is None:
            self._accepting = Call(self._connection.accept_bi())
        try:
            pair = await self._accepting.result()
        except (IrohError, asyncio.InvalidStateError) as error:
            raise closed(error) from error
        self._accepting = None
        return self._keep(pair)

    def _keep(self, pair: BiStream) -> IrohStream:
        stream = IrohStream(pair)
        self._streams.add(stream)
        return stream

    async def wait_closed(self) -> str:
        told = await Call(self._connection.closed()).result()
        if self._reason is not None:
            return self._reason
        return told.removeprefix("closed by peer: ").rpartition(" (code ")[0] or told

    def close(self, reason: str) -> None:
        if self._reason is not None:
            return
        self._reason = reason
        self._lane.close()
        for stream in list(self._streams):
            stream.reset()  # a call left waiting would wake up after the loop is gone
        if self._accepting is not None:
            self._accepting.drop()
        text = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        with contextlib.suppress(IrohError):
            self._connection.close(0, text.encode())


class IrohEndpoint:
    """An `Endpoint` over one iroh socket."""

    def __init__(self, socket: Socket, config: LinkConfig) -> None:
        self._socket, self._config = socket, config
        self._node = NodeId(socket.id().to_bytes())
        self._links: WeakSet[IrohLink] = WeakSet()
        self._accepting: Call[Incoming | None] | None = None
        self._turn = asyncio.Lock()
        host = str(parse(config.bind).ip)
        self._door = LaneDoor(host, lambda: [str(parse(each).ip) for each in self.addresses()])

    @property
    def node(self) -> NodeId:
        return self._node

    def addresses(self) -> tuple[str, ...]:
        return reachable(self._config.bind, self._socket.bound_sockets())

    async def connect(self, node: NodeId, addresses: Sequence[str]) -> IrohLink:
        who = f"node {short_id(node)}"
        relay = None if self._config.relay in ("off", "public") else self._config.relay
        usable = dialable(addresses)
        if not usable and self._config.relay == "off":
            raise Unavailable(f"{who} cannot be dialled: no address of it is known")
        try:
            target = EndpointAddr(EndpointId.from_bytes(node), relay, usable)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                connection = await Call(self._socket.connect(target, PROTOCOL)).result()
        except (IrohError, TimeoutError) as error:
            why = (
                error.message()
                if isinstance(error, IrohError)
                else f"no answer in {CONNECT_TIMEOUT_S:g} s"
            )
            raise Unavailable(f"{who} does not answer at {', '.join(usable)}: {why}") from error
        return self._keep(connection, is_dialler=True)

    async def accept(self) -> IrohLink:
        """The next incoming link. Shape: several callers may wait; one slow handshake holds up only
        its own."""
        while True:
            incoming = await self._next_incoming()
            with contextlib.suppress(
                IrohError, TimeoutError
            ):  # whoever knocked went away or cannot speak
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    accepting = await Call(incoming.accept()).result()
                    connection = await Call(accepting.connect()).result()
                return self._keep(connection, is_dialler=False)

    async def _next_incoming(self) -> Incoming:
        async with self._turn:
            if self._accepting is None:
                self._accepting = Call(self._socket.accept_next())
            try:
                incoming = await self._accepting.result()
            except (IrohError, asyncio.InvalidStateError) as error:
                raise closed(error) from error
            if incoming is None:
                raise LinkClosed("this node's endpoint was closed")
            self._accepting = None
            return incoming

    def _keep(self, connection: Connection, *, is_dialler: bool) -> IrohLink:
        link = IrohLink(connection, self._door, is_dialler=is_dialler)
        self._links.add(link)
        return link

    async def close(self) -> None:
        for link in list(self._links):
            link.close("the node stopped")
        self._door.close()
        if self._accepting is not None:
            self._accepting.drop()
        with contextlib.suppress(IrohError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await Call(self._socket.close()).result()


def _relay_mode(relay: str) -> RelayMode:
    if relay == "off":
        return RelayMode.disabled()
    if relay == "public":
        return RelayMode.default_mode()
    try:
        return RelayMode.custom_from_urls([relay])
    except IrohError as error:
        raise LocalUsageError(f"the relay {relay!r} is neither off, public, nor a URL") from error


async def bind(secret: bytes, config: LinkConfig) -> Endpoint:
    """This node's endpoint, shaped where the settings say so. `secret`: the 32 bytes of its key.

    Raises: LocalUsageError on a setting that makes no sense; Conflict when the address cannot be
    bound."""
    iroh_bytes.install()
    wanted = sockets_for(config.bind)
    _relay_mode(config.relay)
    try:
        # A machine without the other IP version refuses its socket: then one has to do.
        try:
            socket = await _bind(secret, config.relay, wanted)
        except IrohError:
            socket = await _bind(secret, config.relay, wanted[:1])
    except IrohError as error:
        why = error.message()
        raise Conflict(
            f"cannot open the link port {config.bind}: {why}; try another one"
        ) from error
    endpoint = IrohEndpoint(socket, config)
    if not (config.delay_ms or config.up_bytes_per_s or config.loss_percent):
        return endpoint
    loss = config.loss_percent / 100
    return ShapedEndpoint(endpoint, config.delay_ms / 1000, config.up_bytes_per_s, loss)


async def _bind(secret: bytes, relay: str, sockets: Sequence[str]) -> Socket:
    builder = EndpointBuilder()  # type: ignore[no-untyped-call]  # its __init__ has no hints
    if relay == "public":
        builder.apply_n0()  # with that project's look-up of addresses by id
    else:
        builder.apply_minimal()
    builder.relay_mode(_relay_mode(relay))
    builder.alpns([PROTOCOL])
    builder.secret_key(secret)
    for address in sockets:
        builder.bind_addr(address)
    return await Call(builder.bind()).result()
