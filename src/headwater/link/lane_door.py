"""Where lanes come in, and how they are made to another node's door."""

import asyncio
import socket
from collections.abc import Callable, Sequence

from headwater.errors import RemoteProtocolError, Unavailable
from headwater.link.addresses import dialable, parse
from headwater.link.background import Background
from headwater.link.lane import Lane
from headwater.link.tls import ServerIdentity, check_server, client_context, new_token
from headwater.wire.messages import LaneOffer

__all__ = ["MAX_LANES", "LaneDoor", "make_lane"]

MAX_LANES = 128
"""That are open or about to be."""
HANDSHAKE_S = 5.0
"""For TLS and the token."""
CONNECT_S = 2.0
"""For one address."""
RETRY_S = 0.1


class LaneDoor:
    """Opened when the first lane is wanted. Belongs to the loop's thread."""

    def __init__(self, host: str, hosts: Callable[[], Sequence[str]]) -> None:
        """`host`: to bind; `hosts`: where others may reach that."""
        self._host, self._hosts = host, hosts
        self._opening = asyncio.Lock()
        self._identity: ServerIdentity | None = None
        self._listener: socket.socket | None = None
        self._expected: dict[bytes, Callable[[Lane], None]] = {}
        self._room = asyncio.Semaphore(MAX_LANES)
        self._background = Background()
        self._is_closed = False

    async def expect(self, arrived: Callable[[Lane], None]) -> LaneOffer:
        """What to send to who may come, once. Raises: Unavailable when no port can be opened."""
        async with self._opening:
            try:
                identity = self._identity
                if identity is None:
                    identity = self._identity = await asyncio.to_thread(ServerIdentity)
                listener = self._listener or self._open()
            except OSError as error:
                raise Unavailable(f"no lanes at {self._host}: {error}") from error
        addresses = [f"{host}:{listener.getsockname()[1]}" for host in self._hosts()]
        offer = LaneOffer(tuple(addresses), identity.certificate, new_token())
        self._expected[offer.token] = arrived
        return offer

    def _open(self) -> socket.socket:
        if self._is_closed:
            raise Unavailable("this node's endpoint was closed")
        self._listener = socket.create_server((self._host, 0))
        self._listener.setblocking(False)
        self._background.start(self._accept(self._listener), "link.lanes")
        return self._listener

    def forget(self, token: bytes) -> None:
        """Who shows it does not come in any more."""
        self._expected.pop(token, None)

    def close(self) -> None:
        """With all lanes that came in."""
        self._is_closed = True
        self._background.cancel()
        if self._listener is not None:
            self._listener.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:
                self._room.release()
                await asyncio.sleep(RETRY_S)  # out of descriptors: let others finish
                continue
            self._background.start(self._let_in(connection), "link.lanes")

    async def _let_in(self, connection: socket.socket) -> None:
        """Returns when its lane is over."""
        loop, lane = asyncio.get_running_loop(), Lane(self._admit)
        assert self._identity is not None
        try:
            await loop.connect_accepted_socket(
                lambda: lane,
                connection,
                ssl=self._identity.context,
                ssl_handshake_timeout=HANDSHAKE_S,
            )
            await asyncio.wait([lane.closed], timeout=HANDSHAKE_S)
            if lane.is_admitted:
                await asyncio.wait([lane.closed])
        except OSError:
            pass  # it speaks no TLS, or went
        finally:
            lane.close("the node stopped" if self._is_closed else "it did not say who it is")
            self._room.release()

    def _admit(self, token: bytes, lane: Lane) -> bool:
        arrived = self._expected.pop(token, None)
        if arrived is not None:
            arrived(lane)
        return arrived is not None


async def make_lane(offer: LaneOffer, near: str) -> Lane:
    """`near`: the host at which the link reaches the node, which is tried first.

    Raises: Unavailable when no address answers; RemoteProtocolError when another certificate is
    shown."""
    context, loop = client_context(offer.certificate), asyncio.get_running_loop()
    trouble = "it told no address"
    addresses = [parse(each) for each in dialable(offer.addresses)]
    for address in sorted(addresses, key=lambda each: str(each.ip) != near):
        try:
            async with asyncio.timeout(CONNECT_S):
                transport, lane = await loop.create_connection(
                    Lane, str(address.ip), address.port, ssl=context
                )
        except (OSError, TimeoutError) as error:
            trouble = f"{address}: {error or 'no answer'}"
            continue
        try:
            shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
            check_server(shown, offer.certificate, str(address))
        except RemoteProtocolError:
            lane.close("another certificate")
            raise
        transport.write(offer.token)
        return lane
    raise Unavailable(f"no lane: {trouble}")
