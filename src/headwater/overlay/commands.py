"""What an overlay asks of its shell, as data. Pure."""

from dataclasses import dataclass

from headwater.wire.ids import NodeId
from headwater.wire.live import LiveMessage

__all__ = [
    "Command",
    "Deliver",
    "Dial",
    "Drop",
    "Forget",
    "LeaveOut",
    "Pull",
    "Send",
    "Skip",
    "StartPush",
    "StopPush",
]


@dataclass(frozen=True, slots=True)
class Send:
    """Say it on the control stream; to a node that has no link any more it is lost."""

    node: NodeId
    message: LiveMessage


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """This child has these parts already: where they are still to be pushed to it, a word in their
    place will do."""

    node: NodeId
    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StartPush:
    """A child was accepted: push what is kept of the stripe from `first` on, then what
    `forward` says. For a child that is fed already: start over at `first`."""

    node: NodeId
    stripe: int
    first: int


@dataclass(frozen=True, slots=True)
class StopPush:
    """Reset that stream."""

    node: NodeId
    stripe: int


@dataclass(frozen=True, slots=True)
class Pull:
    """Ask for these parts (at most MAX_PARTS_PER_REQUEST); what comes is told by part_arrived,
    the end of it by pulled."""

    node: NodeId
    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Deliver:
    """Next for the player: numbers grow strictly. The first two are an init and a keyframe; from
    then on they follow each other without a gap, except where a Skip says so."""

    seq: int


@dataclass(frozen=True, slots=True)
class Skip:
    """The parts from `first` up to but not including `next` missed their deadline. `next` is a
    keyframe of the init delivered last, or an init."""

    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Parts below are outside the overlay's window, the inits in use excepted."""

    below: int


@dataclass(frozen=True, slots=True)
class Dial:
    """Find its addresses and link to it; `connected` tells when that is done, nothing when it
    fails."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class Drop:
    """The overlay wants no more of this node. `hostile`: ban it; otherwise close the link unless
    something else needs it."""

    node: NodeId
    reason: str
    hostile: bool


Command = Send | LeaveOut | StartPush | StopPush | Pull | Deliver | Skip | Forget | Dial | Drop
