"""`headwater lab`."""

from headwater.cli.session import Session


def lab(session: Session) -> None:
    """Several nodes."""
