"""The HTTP side as one ASGI app: access first, then API, gateway and page."""

import socket
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI

from headwater import __version__
from headwater.media.stream import Streams
from headwater.node.config import WebConfig
from headwater.web import failures, page
from headwater.web.access import Access, Rules
from headwater.web.api import (
    events,
    jobs,
    lives,
    peers,
    settings,
    shares,
    status,
    uploads,
    videos,
    wellknown,
)
from headwater.web.gateway import (
    files,
    hls,
    live_hls,
    live_in,
    live_parts,
    live_streams,
    pictures,
    playlists,
    recordings,
)
from headwater.web.gateway.counters import GatewayCounters
from headwater.web.gateway.live_hls_feed import HlsFeeds
from headwater.web.going_live import GoingLive
from headwater.web.metrics import router as metrics_router
from headwater.web.port import Node

__all__ = ["create_app", "describe"]

ROUTERS = (
    files.router,  # first, because a player waits for it
    live_parts.router,
    live_in.router,
    live_hls.router,
    live_streams.router,
    hls.router,
    pictures.router,
    playlists.router,
    recordings.router,
    status.router,
    settings.router,
    videos.router,
    lives.router,
    shares.router,
    uploads.router,
    jobs.router,
    peers.router,
    events.router,
    wellknown.router,
    metrics_router,
)


def create_app(
    node: Node, *, streams: Streams | None = None, hls_feeds: HlsFeeds | None = None
) -> FastAPI:
    """The app of one node. `streams`: what remuxes; `hls_feeds`: lives for HLS; the server brings
    and runs its own."""
    app = _routes()
    app.state.node = node
    app.state.streams = streams if streams is not None else Streams()
    app.state.gateway_counters = GatewayCounters()
    app.state.going_live = GoingLive()
    app.state.hls_feeds = hls_feeds if hls_feeds is not None else HlsFeeds()
    failures.install(app)
    page.install(app)
    app.add_middleware(Access, rules=_rules(node.config.web, node.token))
    return app


def describe() -> dict[str, Any]:
    """The OpenAPI description; needs no node."""
    return _routes().openapi()


def _routes() -> FastAPI:
    app = FastAPI(
        title="Headwater",
        version=__version__,
        summary="A peer-to-peer video node: share a folder, everyone in the mesh plays it at once",
        docs_url=None,  # the interactive page would load scripts from elsewhere
        redoc_url=None,
    )
    for router in ROUTERS:
        app.include_router(router)
    return app


def _rules(config: WebConfig, token: str) -> Rules:
    machine = socket.gethostname().lower().partition(".")[0]
    asked = urlsplit(f"//{config.http}").hostname or ""
    names = {machine, f"{machine}.local", socket.getfqdn().lower(), asked} - {""}
    return Rules(lan=config.lan, token=token, names=frozenset(names if config.lan else {asked}))
