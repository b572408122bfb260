"""Keeps the node in its mesh: dials whom it was told to, whom it met before, whom it hears of."""

import asyncio
import logging
import random
from collections.abc import Sequence

from headwater.catalog.catalogue import Catalogue
from headwater.discovery.invitation import Invitation
from headwater.discovery.wellknown import fetch_record
from headwater.errors import LocalUsageError, NodeError
from headwater.node.blocklist import Blocklist
from headwater.node.neighbours import Neighbours
from headwater.wire.ids import NodeId
from headwater.wire.items import NodeRecord

__all__ = ["Mesh"]

log = logging.getLogger(__name__)

AIMED_NEIGHBOURS = 8
LOOK_S = 5.0
MAX_REMEMBERED = 32
FIRST_RETRY_S = 0.5
MAX_RETRY_S = 30.0


class Mesh:
    """The node's place in the mesh. Shape: about AIMED_NEIGHBOURS links of its own accord."""

    def __init__(
        self,
        me: NodeId,
        catalogue: Catalogue,
        neighbours: Neighbours,
        blocklist: Blocklist,
        *,
        join: Sequence[str],
        mesh_secret: str,
    ) -> None:
        self._me, self._catalogue, self._neighbours = me, catalogue, neighbours
        self._blocklist = blocklist
        self._join, self._mesh_secret = join, mesh_secret

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for address in self._join:
                group.create_task(self._join_for_good(address), name="mesh.join")
            for node, addresses in self._catalogue.known_addresses()[:MAX_REMEMBERED]:
                self.found(node, addresses)
            while True:
                await asyncio.sleep(LOOK_S)
                await self._meet_more()

    def found(self, node: NodeId, addresses: Sequence[str]) -> None:
        """Discovery or memory says that this node is at these addresses."""
        if node != self._me and addresses:
            self._neighbours.keep(node, addresses)

    async def join(self, address: str) -> NodeId:
        """Dial `host:port` or an invitation and keep the link.

        Raises: LocalUsageError for an address that is none, Unavailable when nobody answers."""
        if address.startswith("headwater://"):
            invitation = Invitation.parse(address)
            if invitation.secret != self._mesh_secret:
                raise LocalUsageError(
                    "this invitation leads into another mesh than this node is in: stop the node, "
                    "then `headwater up --state FOLDER --join LINK` with a folder for that mesh"
                )
            node, addresses = invitation.node, invitation.addresses
        else:
            item = await fetch_record(address)
            assert isinstance(item.body, NodeRecord)
            node, addresses = item.author, item.body.addresses
        if node == self._me:
            return node
        await self._neighbours.dial(node, addresses)
        self._neighbours.keep(node, addresses)
        return node

    def block(self, node: NodeId) -> None:
        """No link to it, either way, until it is unblocked; the one that is there ends now.

        Raises: LocalUsageError; StorageFull, OSError when that will not outlive this process."""
        if node == self._me:
            raise LocalUsageError("a machine cannot block itself")
        try:
            self._blocklist.add(node, self._catalogue.last_name(node))
        finally:
            if node in self._blocklist:
                self._neighbours.part(node, "blocked")

    def unblock(self, node: NodeId) -> None:
        """It may come back, and is dialled where it was last. Raises: as block()."""
        self._blocklist.remove(node)
        for known, addresses in self._catalogue.known_addresses():
            if known == node:
                self.found(node, addresses)

    async def _join_for_good(self, address: str) -> None:
        wait_s = FIRST_RETRY_S
        while True:
            try:
                await self.join(address)
            except NodeError as error:
                log.info("mesh.join_failed", extra={"address": address, "reason": str(error)})
            else:
                return
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))
            wait_s = min(MAX_RETRY_S, 2 * wait_s)

    async def _meet_more(self) -> None:
        """Make one more acquaintance where there are few links."""
        connected = self._neighbours.connected()
        if len(connected) >= AIMED_NEIGHBOURS:
            return
        strangers = [
            item
            for item in self._catalogue.nodes()
            if item.author not in connected
            and item.author != self._me
            and item.author not in self._blocklist
        ]
        if not strangers:
            return
        item = random.choice(strangers)
        if isinstance(item.body, NodeRecord) and item.body.addresses:
            try:
                await self._neighbours.dial(item.author, item.body.addresses)
            except NodeError as error:
                log.debug("mesh.dial_failed", extra={"reason": str(error)})
