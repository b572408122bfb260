"""What handlers are given: the node, and ids parsed at the edge."""

from typing import Annotated, cast

from fastapi import Depends, Path
from fastapi.requests import HTTPConnection

from headwater.errors import NotFound
from headwater.web.port import CataloguedVideo, Node
from headwater.wire.ids import HASH_BYTES, NodeId, VideoId

__all__ = ["IsOwnerDep", "NodeDep", "PeerDep", "VideoDep", "known", "parse_id"]


def parse_id(text: str, what: str) -> bytes:
    """The 32 bytes of an id in hex. Raises: NotFound, because nothing has such an id."""
    try:
        identity = bytes.fromhex(text)
    except ValueError:
        identity = b""
    if len(identity) != HASH_BYTES or len(text) != 2 * HASH_BYTES:
        raise NotFound(f"there is no {what} {text[:80]!r}: an id has {2 * HASH_BYTES} hex digits")
    return identity


def known(node: Node, video: VideoId) -> CataloguedVideo:
    """The catalogue's entry. Raises: NotFound."""
    found = node.catalogue.entry(video)
    if found is None:
        raise NotFound(
            f"no node here knows a video {video.hex()[:10]}: it may have been taken back"
        )
    return found


async def _node(connection: HTTPConnection) -> Node:
    return cast(Node, connection.app.state.node)


async def _video(video: Annotated[str, Path(description="64 hex digits")]) -> VideoId:
    return VideoId(parse_id(video, "video"))


async def _peer(peer: Annotated[str, Path(description="64 hex digits")]) -> NodeId:
    return NodeId(parse_id(peer, "node"))


async def _is_owner(connection: HTTPConnection) -> bool:
    return bool(connection.scope.get("state", {}).get("role") == "owner")


NodeDep = Annotated[Node, Depends(_node)]
VideoDep = Annotated[VideoId, Depends(_video)]
PeerDep = Annotated[NodeId, Depends(_peer)]
IsOwnerDep = Annotated[bool, Depends(_is_owner)]
"""Whether the owner asks; a guest from the LAN reads the library, but not paths of this machine."""
