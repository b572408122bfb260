"""Which link each pair of nodes keeps, when both have dialled; and whom this node does not want.
Pure.

Two nodes that dial each other at once must end with one link, not none. The node with the smaller
id decides: its own dial wins from the moment it is connected, and before that moment whatever the
other one dialled. The other node follows: what the smaller one completes replaces what it has. A
claim is a link that has got so far.

    dialled  --connected-------> claimed --hello answered--> neighbour --any end--> gone
    accepted --hello checked---> claimed --hello sent------> neighbour --any end--> gone
"""

from headwater.link.port import Link
from headwater.wire.ids import NodeId
from headwater.wire.messages import Goodbye

__all__ = ["BANNED", "BAN_S", "DUPLICATE", "ELSEWHERE", "MAX_BANS", "NO_ROOM", "Bans", "Claims"]

BAN_S = 60.0
MAX_BANS = 4096

DUPLICATE = Goodbye("there is a link between us already")
NO_ROOM = Goodbye("this node has all the links that it wants")
BANNED = Goodbye("blocked", retry=False)
ELSEWHERE = Goodbye("the topology has no link between these two", retry=False)


class Claims:
    """Shape: one link for each node, at most `max_links`; the link that loses is closed here."""

    def __init__(self, own: NodeId, max_links: int) -> None:
        self._own, self._max_links = own, max_links
        self._links: dict[NodeId, Link] = {}

    def get(self, node: NodeId) -> Link | None:
        return self._links.get(node)

    def holds(self, link: Link) -> bool:
        return self._links.get(link.peer) is link

    def has_room_for(self, node: NodeId) -> bool:
        return node in self._links or len(self._links) < self._max_links

    def dialled(self, link: Link) -> bool:
        """Whether the link that this node dialled may go on: the other side's is not ahead of
        it."""
        if link.peer in self._links:
            link.close(DUPLICATE.reason)
            return False
        self._links[link.peer] = link
        return True

    def accepted(self, link: Link, *, is_stale: bool) -> Goodbye | None:
        """Why the link that the other node dialled may not go on; None when it may.

        `is_stale`: what this node has of the other has gone quiet; it may have been started
        anew."""
        if not self.has_room_for(link.peer):
            return NO_ROOM
        rival = self._links.get(link.peer)
        if rival is not None:
            if rival.is_dialler and self._own < link.peer and not is_stale:
                return DUPLICATE
            rival.close("replaced by a newer link")
        self._links[link.peer] = link
        return None

    def release(self, link: Link) -> None:
        if self.holds(link):
            del self._links[link.peer]

    def close_all(self, reason: str) -> None:
        for link in list(self._links.values()):
            link.close(reason)


class Bans:
    """Shape: at most MAX_BANS; past that the oldest is let go."""

    def __init__(self) -> None:
        self._until_s: dict[NodeId, float] = {}

    def add(self, node: NodeId, now: float) -> None:
        self._until_s.pop(node, None)
        if len(self._until_s) >= MAX_BANS:
            del self._until_s[next(iter(self._until_s))]
        self._until_s[node] = now + BAN_S

    def holds(self, node: NodeId, now: float) -> bool:
        return now < self._until_s.get(node, now)
