"""What can go wrong, whose fault it is, what to do. Codes are stable: API, CLI, metrics."""

from typing import ClassVar

__all__ = [
    "Conflict",
    "ContentChanged",
    "Forbidden",
    "LocalUsageError",
    "MediaError",
    "NodeError",
    "NotFound",
    "RemoteProtocolError",
    "StorageFull",
    "Unavailable",
]


class NodeError(Exception):
    """All that Headwater raises on purpose. Says what happened, to what, what to do."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1


class RemoteProtocolError(NodeError):
    """The other node broke a rule: drop it, keep running."""

    code = "remote_protocol"
    http_status = 502
    exit_code = 10


class LocalUsageError(NodeError):
    """The request itself makes no sense: correct it and ask again."""

    code = "usage"
    http_status = 400
    exit_code = 2


class NotFound(NodeError):
    """There is no such thing here: the name or id is wrong, or it is gone."""

    code = "not_found"
    http_status = 404
    exit_code = 3


class Conflict(NodeError):
    """It clashes with what is there already (state in use, port in use, name taken)."""

    code = "conflict"
    http_status = 409
    exit_code = 4


class Forbidden(NodeError):
    """Not allowed from there or without the owner's token."""

    code = "forbidden"
    http_status = 403
    exit_code = 5


class Unavailable(NodeError):
    """Nobody's fault: nobody who has it can be reached now; retry later."""

    code = "unavailable"
    http_status = 503
    exit_code = 6


class StorageFull(NodeError):
    """The disk does not take what is written, or the quota is full: free room, then try again."""

    code = "storage_full"
    http_status = 507
    exit_code = 7


class ContentChanged(NodeError):
    """A shared file is no longer what was published: it must be shared again."""

    code = "content_changed"
    http_status = 410
    exit_code = 8


class MediaError(NodeError):
    """The file cannot be read as a video, or may not be opened at all."""

    code = "media"
    http_status = 415
    exit_code = 9
