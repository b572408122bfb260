"""`/api/v1/settings`: what the owner may change while the node runs. Folders: `/api/v1/shares`."""

from fastapi import APIRouter

from headwater.node.settings import Changes
from headwater.web.api.models import Settings, SettingsChange
from headwater.web.asked import NodeDep
from headwater.web.port import Node

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["node"])

_KEYS = {
    "name": "name",
    "up_bytes_s": "limits.up_bytes_per_s",
    "down_bytes_s": "limits.down_bytes_per_s",
}


@router.get("/settings")
async def settings(node: NodeDep) -> Settings:
    return _view(node)


@router.patch("/settings")
async def change(node: NodeDep, wanted: SettingsChange) -> Settings:
    """Takes effect at once and is kept across restarts, in the node's state folder."""
    await node.change(Changes(wanted.name, wanted.up_bytes_s, wanted.down_bytes_s))
    return _view(node)


def _view(node: Node) -> Settings:
    config = node.config
    said = config.said_at_start
    return Settings(
        name=config.name,
        default_name=node.default_name,
        up_bytes_s=config.limits.up_bytes_per_s,
        down_bytes_s=config.limits.down_bytes_per_s,
        said_at_start={field: said[key] for field, key in _KEYS.items() if key in said},
        folders_at_start=[str(folder) for folder in config.folders],
    )
