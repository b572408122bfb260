"""A live's overlay: who feeds whom, decided by every node for itself. Pure: messages and time go
in, commands come out."""

from headwater.overlay.commands import (
    Command,
    Deliver,
    Dial,
    Drop,
    Forget,
    LeaveOut,
    Pull,
    Send,
    Skip,
    StartPush,
    StopPush,
)
from headwater.overlay.limits import Limits
from headwater.overlay.overlay import Overlay
from headwater.overlay.report import NeighbourReport, Report, StripeReport

__all__ = [
    "Command",
    "Deliver",
    "Dial",
    "Drop",
    "Forget",
    "LeaveOut",
    "Limits",
    "NeighbourReport",
    "Overlay",
    "Pull",
    "Report",
    "Send",
    "Skip",
    "StartPush",
    "StopPush",
    "StripeReport",
]
