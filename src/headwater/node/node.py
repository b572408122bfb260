"""The composition root: makes every part, joins them, runs them, ends them in order."""

import asyncio
import logging
import platform
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from headwater.catalog.catalogue import Catalogue
from headwater.catalog.gossip import Gossip
from headwater.discovery.invitation import Invitation
from headwater.discovery.lan import ADDRESS_POLL_S, LanDiscovery
from headwater.errors import NotFound
from headwater.link import iroh
from headwater.link.addresses import is_everywhere
from headwater.link.identity import load_identity
from headwater.link.port import Endpoint
from headwater.live.archive import Archive, Videos
from headwater.live.lives import Lives
from headwater.node.activity import Activity, Job
from headwater.node.blocklist import Blocklist
from headwater.node.config import Config
from headwater.node.copies import Copies
from headwater.node.dispatch import Dispatch
from headwater.node.events import Event, Events
from headwater.node.membership import with_mesh_secret
from headwater.node.mesh import Mesh
from headwater.node.neighbours import Neighbours
from headwater.node.posters import Posters
from headwater.node.records import Records
from headwater.node.runtime import remove_runtime, write_runtime
from headwater.node.settings import Changes, KeptSettings
from headwater.node.shares import Shares
from headwater.store.store import Store
from headwater.transfer.bulk_server import BulkServer
from headwater.transfer.client import BlockClient
from headwater.transfer.limits import RateLimit
from headwater.transfer.server import BlockServer
from headwater.transfer.traffic import Traffic
from headwater.transfer.transfers import Transfers
from headwater.web.server import WebServer
from headwater.wire.ids import NodeId, VideoId
from headwater.wire.items import Item, LiveEntry, NodeRecord, Signed, VideoEntry

__all__ = ["Node"]

log = logging.getLogger(__name__)

SWITCH_S = 0.0005
"""How long a busy thread may keep the interpreter while the event loop waits: at Python's default
of 5 ms a thread that parses or hashes costs a viewer tens of milliseconds."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Node:
    """One Headwater process. `started_s` is by `time.monotonic()`."""

    client: BlockClient

    def __init__(self, config: Config) -> None:
        self.config = config
        self.started_s = time.monotonic()
        self.ready = asyncio.Event()
        """Set when the page is served."""
        self.page = ""
        self.token = secrets.token_urlsafe(24)
        self.default_name = platform.node().split(".")[0] or "headwater"
        self.events = Events()
        self.activity = Activity(self.events, time.monotonic)
        self.traffic = Traffic()
        self._kept_settings = KeptSettings(config.state)
        self._stopping = asyncio.Event()

    @property
    def name(self) -> str:
        return self.config.name or self.default_name

    async def run(self) -> None:
        """Serve until stop(). Raises: Conflict when the port is in use; what a part says."""
        sys.setswitchinterval(SWITCH_S)
        state = self.config.state
        self.config = await asyncio.to_thread(with_mesh_secret, self.config)
        self.identity = load_identity(state)
        self.blocked = Blocklist(state)
        async with AsyncExitStack() as ends:  # in the opposite order, however far it got
            self.web = WebServer(self, self.config.web)
            ends.callback(self.web.close)
            self.page = self.web.address
            self.store = await asyncio.to_thread(Store, state, self.config.store)
            ends.push_async_callback(asyncio.to_thread, self.store.close)
            self.catalogue = Catalogue(state / "catalogue.db", _now_ms)
            ends.callback(self.catalogue.close)
            endpoint = await iroh.bind(self.identity.key.private_bytes_raw(), self.config.link)
            ends.push_async_callback(endpoint.close)
            self._up_limit = RateLimit(self.config.limits.up_bytes_per_s)
            self._down_limit = RateLimit(self.config.limits.down_bytes_per_s)
            bulk = self._bulk_server()
            if bulk is not None:
                ends.callback(bulk.close)
            self._compose(endpoint, bulk)
            ends.callback(self.client.close)
            ends.callback(remove_runtime, state)
            await self._run_parts()

    def stop(self) -> None:
        """Ask run() to end."""
        self._stopping.set()

    def _bulk_server(self) -> BulkServer | None:
        link = self.config.link
        if link.delay_ms or link.up_bytes_per_s or link.loss_percent:
            return None  # the links play a long way: nothing may go round them
        host = link.bind.rpartition(":")[0].strip("[]")
        bulk = BulkServer(self.store, self._up_limit, self.traffic, host, time.monotonic)
        bulk.start()
        return bulk

    def _compose(self, endpoint: Endpoint, bulk: BulkServer | None) -> None:
        config, me, clock = self.config, self.identity.node, time.monotonic
        self._endpoint = endpoint
        dispatch = Dispatch(self.events)
        self.neighbours = Neighbours(endpoint, config.link, self.hello, dispatch, self.blocked)
        self.gossip = Gossip(self.catalogue, self.neighbours)
        self.gossip.on_change(self._catalogue_changed)
        self._records = Records(
            self.identity.key, self.catalogue, self._describe, _now_ms, self.gossip.publish
        )
        self.client = BlockClient(
            self.neighbours, self._down_limit, self.traffic, clock, use_bulk=bulk is not None
        )
        self.transfers = Transfers(
            me=me,
            store=self.store,
            catalogue=self.catalogue,
            neighbours=self.neighbours,
            client=self.client,
            config=config.store,
            clock=clock,
            announce=self._records.announce,
        )
        self.server = BlockServer(
            self.store, bulk, self._hosts, self._up_limit, self.traffic, clock
        )
        self.lives = Lives(
            key=self.identity.key,
            me=me,
            catalogue=self.catalogue,
            neighbours=self.neighbours,
            publish=self.gossip.tell,
            archive=self._archive(me),
            events=self.events,
            clock=clock,
            wall_us=lambda: time.time_ns() // 1000,
            uplink_bps=8 * (config.limits.up_bytes_per_s or config.link.up_bytes_per_s),
            carries_all=config.live.carry_all,
        )
        dispatch.connect(self.gossip, self.transfers, self.server, self.lives)
        self._posters = Posters(self.transfers)
        self._copies = Copies(
            config.state, self.store, self.transfers, self.activity, self._entry_of
        )
        self.shares = Shares(
            config,
            self.store,
            self.identity.key,
            self.gossip.tell,
            self.catalogue,
            self.activity,
            self.events,
        )
        self._mesh = Mesh(
            me,
            self.catalogue,
            self.neighbours,
            self.blocked,
            join=config.discovery.join,
            mesh_secret=config.link.mesh_secret,
        )
        self._lan = LanDiscovery(
            config.discovery,
            me,
            lambda: (self.name, endpoint.addresses()),
            self._mesh.found,
            poll_s=ADDRESS_POLL_S if is_everywhere(config.link.bind) else None,
        )

    def _archive(self, me: NodeId) -> Archive:
        videos = Videos(
            open_video=self.transfers.open,
            info_of=self.transfers.info,
            blob=self.transfers.blob,
            keep=self.keep,
            announce=self._records.announce,
        )
        return Archive(
            self.config.state / "lives",
            self.store,
            self.catalogue,
            self.identity.key,
            me,
            self.gossip.tell,
            videos,
            self.activity,
            self.config.store.reserve_bytes,
        )

    async def _run_parts(self) -> None:
        parts = {
            "web": self.web.run(),
            "gossip": self.gossip.run(),
            "neighbours": self.neighbours.run(),
            "transfers": self.transfers.run(),
            "lives": self.lives.run(),
            "copies": self._copies.run(),
            "shares": self.shares.run(),
            "records": self._records.run(),
            "posters": self._posters.run(),
            "mesh": self._mesh.run(),
        }
        if self.config.discovery.lan:
            parts["lan"] = self._lan.run()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part, name=f"node.{name}") for name, part in parts.items()]
            write_runtime(self.config.state, self.page, self.token)
            self.ready.set()
            await self._stopping.wait()
            for task in tasks:
                task.cancel()

    # Said of itself.

    def hello(self) -> Signed:
        """This node's signed record, as `/.well-known/headwater` answers it."""
        return self._records.own()

    def invitation(self) -> str:
        """A `headwater://join/...` link to this node."""
        addresses = self._endpoint.addresses()
        return Invitation(self.identity.node, addresses, self.config.link.mesh_secret).link()

    def _describe(self, version: int) -> NodeRecord:
        page = self.page if self.config.web.lan else ""
        return NodeRecord(
            version=version,
            name=self.name[:64],
            addresses=self._endpoint.addresses()[:16],
            page=page,
            uplink_bps=8 * self.config.limits.up_bytes_per_s,
            quota_bytes=self.config.store.quota_bytes,
        )

    def _hosts(self) -> tuple[str, ...]:
        """The addresses of this machine at which a neighbour may try a bulk connection."""
        hosts = (address.rpartition(":")[0] for address in self._endpoint.addresses())
        return tuple(dict.fromkeys(hosts))

    # Asked for by web and command line.

    async def join(self, address: str) -> NodeId:
        """Dial `host:port` or an invitation, keep the link. Raises: as Mesh.join."""
        return await self._mesh.join(address)

    async def change(self, changes: Changes) -> None:
        """Take effect at once and be kept. Raises: LocalUsageError, StorageFull: as before then."""
        await self._kept_settings.add(changes)
        self.config = changes.applied(self.config)
        for limit, rate in (
            (self._up_limit, changes.up_bytes_per_s),
            (self._down_limit, changes.down_bytes_per_s),
        ):
            if rate is not None:
                limit.change(rate)
        if changes.up_bytes_per_s is not None:
            self.lives.uplink(8 * changes.up_bytes_per_s)
        self._records.renew()
        self._lan.look_again()
        self.events.publish(Event("settings"))

    def block(self, node: NodeId) -> None:
        """No link to it until it is unblocked. Raises: as Mesh.block."""
        try:
            self._mesh.block(node)
        finally:
            self.events.publish(Event("peers", node.hex()))

    def unblock(self, node: NodeId) -> None:
        """It may come back. Raises: as Mesh.block."""
        self._mesh.unblock(node)
        self.events.publish(Event("peers", node.hex()))

    def keep(self, video: VideoId) -> Job:
        """Fetch all of it into the store, in the background. Raises: NotFound."""
        self.transfers.open(video)
        return self._copies.get(video)

    def get(self, video: VideoId, directory: Path) -> Job:
        """Fetch all of it and hand it over in `directory`. Raises: NotFound, LocalUsageError."""
        self.transfers.open(video)
        return self._copies.get(video, directory)

    def forget(self, video: VideoId) -> None:
        """Drop this node's copy of somebody else's video, or take back the recording of a live.

        Raises: NotFound."""
        stored = self.store.get(video)
        if stored is None:
            raise NotFound("there is no copy of it on this machine")
        self._copies.forget(video)
        self.lives.take_back(video)
        self.transfers.gone(video)
        self.store.remove(video)
        self.events.publish(Event("video", video.hex()))

    def _entry_of(self, video: VideoId) -> VideoEntry | None:
        known = self.catalogue.entry(video)
        return known.entry if known else None

    # What the parts tell.

    def _catalogue_changed(self, items: Sequence[Item]) -> None:
        self._posters.heard(items)
        self.lives.heard(items)
        self.transfers.heard(items)
        if any(isinstance(item.body, NodeRecord) for item in items):
            self.events.publish(Event("peers"))
        for item in items:
            if isinstance(item.body, LiveEntry):
                self.events.publish(Event("lives", item.body.live.hex()))
        if any(not isinstance(item.body, NodeRecord | LiveEntry) for item in items):
            self.events.publish(Event("videos"))
