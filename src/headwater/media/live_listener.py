"""Waits for an encoder that publishes by RTMP, and gives what it sends as an FLV file.

Everything happens inside `wait` and `read`, in one thread: whoever else knocks is answered there.
"""

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from headwater.errors import RemoteProtocolError
from headwater.media.live_address import RtmpAddress, listen_at
from headwater.media.live_rtmp import Publisher

__all__ = ["Listener"]

MAX_STRANGERS = 8
"""Connections that have not named the key yet. One more, and the oldest has to go."""
GREETING_S = 10.0
SILENCE_S = 10.0
"""An encoder that sends nothing for this long is gone, whatever its connection says."""
_READ_BYTES = 256 * 1024
_TICK_S = 0.5


class _Guest:
    def __init__(self, connection: socket.socket, who: str, address: RtmpAddress) -> None:
        self.connection, self.who = connection, who
        self.session = Publisher(address.app, address.key)
        self.heard_s = self.came_s = time.monotonic()


class Listener:
    """`tell` gets what happens, in plain words. Raises LocalUsageError when it cannot listen."""

    def __init__(self, address: RtmpAddress, tell: Callable[[str], None]) -> None:
        self._address, self._tell = address, tell
        self._socket = listen_at(address)
        self._socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._guests: list[_Guest] = []
        self._on_air: _Guest | None = None

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """What an encoder is told, but for the key."""
        return f"rtmp://{self._address.host}:{self.port}/{self._address.app}"

    def wait(self) -> "_Broadcast":
        """Until an encoder has named the key."""
        while self._on_air is None:
            self._turn()
        return _Broadcast(self, self._on_air)

    def hang_up(self, guest: _Guest) -> None:
        """If it is there still."""
        if guest in self._guests:
            self._part(guest)

    def read(self, guest: _Guest, size: int) -> bytes:
        flv = guest.session.flv
        while not flv and guest is self._on_air:
            self._turn()
        part = bytes(flv[:size])
        del flv[:size]
        return part

    def _turn(self) -> None:
        for key, _ in self._selector.select(_TICK_S):
            if key.fileobj is self._socket:
                self._welcome()
            elif key.data in self._guests:
                self._hear(key.data)
        now = time.monotonic()
        for guest in list(self._guests):
            silence_s = SILENCE_S if guest is self._on_air else GREETING_S
            since_s = guest.heard_s if guest is self._on_air else guest.came_s
            if now - since_s > silence_s:
                self._part(guest)

    def _welcome(self) -> None:
        with suppress(OSError):
            connection, address = self._socket.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            strangers = [guest for guest in self._guests if guest is not self._on_air]
            if len(strangers) >= MAX_STRANGERS:
                self._part(strangers[0])
            guest = _Guest(connection, str(address[0]), self._address)
            self._guests.append(guest)
            self._selector.register(connection, selectors.EVENT_READ, guest)

    def _hear(self, guest: _Guest) -> None:
        session = guest.session
        try:
            raw = guest.connection.recv(_READ_BYTES)
            if raw:
                guest.heard_s = time.monotonic()
                session.feed(raw)
            if session.out:
                guest.connection.send(session.out)  # short: it fits into the socket's buffer
                session.out.clear()
        except BlockingIOError:
            return
        except (OSError, RemoteProtocolError):
            raw = b""
        if session.refusal:
            self._tell(f"an encoder at {guest.who} {session.refusal} and was refused")
        if not raw or session.is_over:
            self._part(guest)
        elif session.is_publishing and self._on_air is not guest:
            before, self._on_air = self._on_air, guest
            if before is not None:
                self._part(before)  # it knows the key: the same encoder, back again

    def _part(self, guest: _Guest) -> None:
        self._guests.remove(guest)
        self._selector.unregister(guest.connection)
        guest.connection.close()
        if self._on_air is guest:
            self._on_air = None


class _Broadcast:
    """The FLV file of one encoder, as FFmpeg reads it."""

    def __init__(self, listener: Listener, guest: _Guest) -> None:
        self._listener, self._guest = listener, guest
        self.who = guest.who

    def read(self, size: int) -> bytes:
        """b"" at its end."""
        return self._listener.read(self._guest, size)

    def close(self) -> None:
        self._listener.hang_up(self._guest)
