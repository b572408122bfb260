"""What this node's page puts on air: where encoders send to, and what browsers record."""

import asyncio
import secrets
import socket
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from headwater.errors import NotFound
from headwater.media.live_address import check_source
from headwater.media.live_feed import Feed
from headwater.media.live_options import LiveOptions
from headwater.web.live_port import Lives
from headwater.wire.ids import LiveId

__all__ = ["Encoder", "GoingLive"]

RTMP_PORTS = range(1935, 1945)
KEY_BYTES = 12


@dataclass(frozen=True, slots=True)
class Encoder:
    """What OBS asks for: `server` and `key`. `host` is empty where it listens on all addresses."""

    host: str
    port: int
    app: str
    key: str

    def server(self, reached_as: str) -> str:
        """The address, for an encoder that reaches this machine under that name."""
        host = self.host or reached_as
        return f"rtmp://{f'[{host}]' if ':' in host else host}:{self.port}/{self.app}"


class GoingLive:
    """Shape: one record for each live that this node makes, dropped when it has ended."""

    def __init__(self) -> None:
        self._feeds: dict[LiveId, Feed] = {}
        self._encoders: dict[LiveId, Encoder] = {}

    async def start(
        self,
        lives: Lives,
        options: LiveOptions,
        title: str,
        *,
        dvr_s: float,
        stripes: int,
        keep_recording: bool,
    ) -> LiveId:
        """As Lives.start; `rtmp:` is completed, `push:` gets a feed. Raises: LocalUsageError."""
        self._forget_ended(lives)
        encoder = None
        if options.source.startswith("rtmp:"):
            encoder = _encoder(options)
            address = f"rtmp://{encoder.host or '0.0.0.0'}:{encoder.port}/{encoder.app}"
            options = replace(options, source=address, rtmp_key=encoder.key)
        elif options.source == "push:":
            options = replace(options, feed=Feed())
        await asyncio.to_thread(check_source, options)
        live = await lives.start(
            options, title, dvr_s=dvr_s, stripes=stripes, keep_recording=keep_recording
        )
        if encoder is not None:
            self._encoders[live] = encoder
        if options.feed is not None:
            self._feeds[live] = options.feed
        return live

    def _forget_ended(self, lives: Lives) -> None:
        """Those that ended by themselves."""
        on_air = {one.entry.live for one in lives.list() if one.state != "ended"}
        for records in (self._feeds, self._encoders):
            for live in [live for live in records if live not in on_air]:
                records.pop(live, None)

    def encoder(self, live: LiveId) -> Encoder | None:
        return self._encoders.get(live)

    def is_pushed(self, live: LiveId) -> bool:
        return live in self._feeds

    def feed(self, live: LiveId) -> Feed:
        """Raises: NotFound."""
        feed = self._feeds.get(live)
        if feed is None or feed.is_closed:
            raise NotFound("no such live waits for pictures of a browser")
        return feed

    async def stop(self, lives: Lives, live: LiveId) -> None:
        """Raises: NotFound."""
        feed = self._feeds.pop(live, None)
        self._encoders.pop(live, None)
        if feed is not None:
            await feed.close()
        await lives.stop(live)


def _encoder(options: LiveOptions) -> Encoder:
    """What the address leaves open is chosen: this machine only, a free port, a key."""
    asked = urlsplit(options.source)
    app, _, key = asked.path.strip("/").partition("/")
    host = asked.hostname or "127.0.0.1"
    port = asked.port or _free_port(host)
    key = options.rtmp_key or key or secrets.token_urlsafe(KEY_BYTES)
    is_everywhere = host in ("0.0.0.0", "::")
    return Encoder("" if is_everywhere else host, port, app or "live", key)


def _free_port(host: str) -> int:
    """1935, as encoders have it, or the next that is free."""
    for port in RTMP_PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    return RTMP_PORTS[0]
