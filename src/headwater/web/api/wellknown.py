"""`/.well-known/headwater`: who answers here, so that `host:port` is enough to dial a node."""

import base64

import msgspec
from fastapi import APIRouter, Response

from headwater.web.asked import NodeDep

__all__ = ["router"]

router = APIRouter(tags=["mesh"])


@router.get("/.well-known/headwater")
async def wellknown(node: NodeDep, response: Response) -> dict[str, str]:
    """`item`: base64 of the MessagePack of this node's signed record."""
    response.headers["Cache-Control"] = "no-store"
    return {"item": base64.b64encode(msgspec.msgpack.encode(node.hello())).decode()}
