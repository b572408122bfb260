"""The HTTP server of a node: binds, tells its address, serves until it is cancelled."""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import uvicorn

from headwater.errors import Conflict, LocalUsageError
from headwater.media.stream import Streams
from headwater.node.config import WebConfig
from headwater.web.app import create_app
from headwater.web.gateway.live_hls_feed import HlsFeeds
from headwater.web.port import Node

__all__ = ["Server", "WebServer"]

PORTS_TRIED = 20
BACKLOG = 512
KEEP_ALIVE_S = 75
DRAIN_S = 1


class WebServer:
    """Binds when it is made: `address` is known, a port in use is told. Raises: Conflict."""

    def __init__(self, node: Node, config: WebConfig) -> None:
        self._node = node
        self.streams, self._hls_feeds = Streams(), HlsFeeds()
        self._socket = _bind(config)
        self.host, self.port = self._socket.getsockname()[:2]

    @property
    def address(self) -> str:
        """`http://host:port` as a browser on this machine opens it."""
        is_everywhere = ipaddress.ip_address(self.host).is_unspecified
        host = "127.0.0.1" if is_everywhere else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def run(self) -> None:
        """Serve until cancelled; then every connection is closed and no task is left."""
        server = Server(self._uvicorn())
        # Its complaints are about clients that went away: every player does that at each seek.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        async with asyncio.TaskGroup() as group:
            sweeping = group.create_task(self.streams.run(), name="web.streams")
            feeding = group.create_task(self._hls_feeds.run(), name="web.hls_feeds")
            serving = group.create_task(server.serve([self._socket]), name="web.server")
            try:
                await asyncio.shield(serving)
            finally:
                server.should_exit = True
                await asyncio.shield(serving)
                sweeping.cancel()
                feeding.cancel()

    def close(self) -> None:
        """Give the port back without having run."""
        self._socket.close()

    def _uvicorn(self) -> uvicorn.Config:
        return uvicorn.Config(
            create_app(self._node, streams=self.streams, hls_feeds=self._hls_feeds),
            http="httptools",
            loop="none",  # runs in the node's loop
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # access.py decides what a forwarded request may do
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_S,
            ws_max_size=64 * 1024,
            ws_per_message_deflate=False,
            backlog=BACKLOG,
        )


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are the program's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind(config: WebConfig) -> socket.socket:
    host, port = _host_port(config)
    tried = (
        range(port, min(port + PORTS_TRIED, 65536)) if config.http_is_default and port else [port]
    )
    for candidate in tried:
        try:
            return _listening(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise LocalUsageError(
                    f"cannot serve the page at {host}:{candidate}: {error.strerror}; "
                    "choose another address with --http"
                ) from error
    raise Conflict(f"port {port} is in use by another program: choose another with --http")


def _host_port(config: WebConfig) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{config.http}")
        host, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError as error:
        raise LocalUsageError(f"--http {config.http!r} is no address: give HOST:PORT") from error
    if config.lan and config.http_is_default:
        host = "0.0.0.0"
    return host, 7333 if port is None else port


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # Only against TIME_WAIT: a port that somebody listens on stays refused all the same.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
