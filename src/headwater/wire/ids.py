"""The ids that cross the wire, as bytes, and their text form."""

from typing import NewType

from headwater.errors import RemoteProtocolError

__all__ = [
    "BLOCK_BYTES",
    "HASH_BYTES",
    "ItemKey",
    "LiveId",
    "NodeId",
    "VideoId",
    "parse_hex_id",
    "short_id",
]

NodeId = NewType("NodeId", bytes)
"""An Ed25519 public key, 32 bytes."""
VideoId = NewType("VideoId", bytes)
"""A BitTorrent v2 infohash: SHA-256 of the bencoded info-dict, 32 bytes. Source: BEP 52."""
LiveId = NewType("LiveId", bytes)
"""SHA-256 of a channel's key and a stream key, 32 bytes: wire.live.live_id."""
ItemKey = NewType("ItemKey", bytes)
"""What a catalogue item is about, 16 bytes; a newer item of the same key replaces the older."""

BLOCK_BYTES = 16 * 1024
HASH_BYTES = 32


def parse_hex_id(text: str) -> bytes:
    """The 32 bytes that 64 hex digits stand for. Raises: RemoteProtocolError otherwise."""
    if len(text) != 2 * HASH_BYTES:
        raise RemoteProtocolError(f"an id has {2 * HASH_BYTES} hex digits, not {len(text)}")
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise RemoteProtocolError(f"an id is hexadecimal, not {text[:20]!r}") from error


def short_id(identity: bytes) -> str:
    """The first ten hex digits: for people and logs, never for look-ups."""
    return identity.hex()[:10]
