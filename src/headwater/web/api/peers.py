"""`/api/v1/peers` and `/api/v1/invitation`: the other nodes, and how one more gets in."""

import io
import time
from datetime import UTC, datetime

import segno
from fastapi import APIRouter

from headwater.web.api.models import Address, Invitation, NodeName, Peer, PeerList
from headwater.web.api.view import Mesh
from headwater.web.asked import IsOwnerDep, NodeDep, PeerDep
from headwater.web.port import Neighbour, Node
from headwater.wire.ids import NodeId
from headwater.wire.items import NodeRecord

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["mesh"])


@router.get("/peers")
async def peers(node: NodeDep, is_owner: IsOwnerDep) -> PeerList:
    """Those linked now, those known by hearsay, those blocked; a guest is not told where they are,
    nor who is blocked."""
    connected = node.neighbours.connected()
    heard = {i.author: i.body for i in node.catalogue.nodes() if isinstance(i.body, NodeRecord)}
    heard.pop(node.identity.node, None)
    # What it says now, not what it said when the link was made: a machine may be renamed.
    linked = [
        _peer(node, n.node, heard.get(n.node, n.record), n, is_owner) for n in connected.values()
    ]
    others = [_peer(node, i, r, None, is_owner) for i, r in heard.items() if i not in connected]
    blocked = node.blocked if is_owner else {}
    gone = [
        _peer(node, i, NodeRecord(version=0, name=name), None, is_owner)
        for i, name in blocked.items()
        if i not in heard and i not in connected
    ]
    return PeerList(peers=linked + others + gone)


@router.post("/peers")
async def join(node: NodeDep, wanted: Address) -> NodeName:
    """Dial a node and keep the link."""
    return Mesh(node).name(await node.join(wanted.address.strip()))


@router.put("/peers/{peer}/block", status_code=204)
async def block(node: NodeDep, peer: PeerDep) -> None:
    """Close the link, and make none with it, either way, until it is unblocked."""
    node.block(peer)


@router.delete("/peers/{peer}/block", status_code=204)
async def unblock(node: NodeDep, peer: PeerDep) -> None:
    """Let it come back; it is dialled where it was last."""
    node.unblock(peer)


@router.get("/invitation")
async def invitation(node: NodeDep) -> Invitation:
    """A link that lets another node in, and the same as a picture for phones."""
    link, picture = node.invitation(), io.BytesIO()
    segno.make(link, error="m").save(picture, kind="svg", xmldecl=False, border=2, light="#fff")
    return Invitation(link=link, qr_svg=picture.getvalue().decode())


def _peer(
    node: Node, peer: NodeId, record: NodeRecord, link: Neighbour | None, is_owner: bool
) -> Peer:
    up, down = node.traffic.rates(peer, time.monotonic())
    return Peer(
        id=peer.hex(),
        name=record.name,
        page=record.page,
        since=_wall_time(link.since_s) if link is not None else None,
        path=link.path()[0] if link is not None and is_owner else "",
        rtt_ms=link.rtt_s * 1000 if link is not None and link.rtt_s is not None else None,
        down_bytes_s=down,
        up_bytes_s=up,
        videos=node.catalogue.search("", limit=0, channel=peer).total,
        connected=link is not None,
        blocked=is_owner and peer in node.blocked,
    )


def _wall_time(since_s: float) -> datetime:
    return datetime.fromtimestamp(time.time() - (time.monotonic() - since_s), UTC)
