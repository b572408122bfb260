"""Headwater: a peer-to-peer video node."""

__version__ = "0.1.0"
