"""A refusal on the wire and the error that it stands for at either end. Pure."""

from headwater.errors import ContentChanged, NodeError, NotFound, Unavailable
from headwater.wire.messages import Refused

__all__ = ["error_of", "refusal_of"]


def refusal_of(error: NodeError) -> Refused:
    """What the asker is told; why exactly is our own business."""
    return Refused("changed" if isinstance(error, ContentChanged) else "missing")


def error_of(refused: Refused) -> NodeError:
    """What the giver said, as the asker's code meets it."""
    match refused.reason:
        case "changed":
            return ContentChanged("the file was changed there after it was shared")
        case "missing":
            return NotFound("the neighbour does not have it")
        case "busy" | "limit":
            return Unavailable("the neighbour is busy")
