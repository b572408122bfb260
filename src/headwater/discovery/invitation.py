"""Invitations: one link that tells a node whom to dial, where, and with which mesh secret.

headwater://join/<node id, 64 hex digits>?at=192.0.2.7:4711&at=[2001:db8::7]:4711&secret=...
"""

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, quote

from headwater.errors import LocalUsageError, RemoteProtocolError
from headwater.link.addresses import MAX_ADDRESSES, dialable
from headwater.wire.ids import NodeId, parse_hex_id

__all__ = ["MAX_LINK_CHARACTERS", "Invitation"]

MAX_LINK_CHARACTERS = 2000
"""More does not fit a QR code that a phone still reads."""
MAX_SECRET_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Invitation:
    """`secret` is empty in an open mesh."""

    node: NodeId
    addresses: tuple[str, ...]
    secret: str = ""

    def link(self) -> str:
        """The link to hand over. Whoever has it can join: the secret is in it."""
        fields = [("at", address) for address in self.addresses[:MAX_ADDRESSES]]
        if self.secret:
            fields.append(("secret", self.secret))
        query = "&".join(f"{name}={quote(value, safe=':[].')}" for name, value in fields)
        return f"headwater://join/{self.node.hex()}" + (f"?{query}" if query else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """What a link invites to. Raises: LocalUsageError when it is none."""
        head, _, query = text.strip().partition("?")
        prefix, _, identity = head.rstrip("/").rpartition("/")
        if prefix != "headwater://join" or len(text) > MAX_LINK_CHARACTERS:
            raise LocalUsageError("this is no invitation: it must be one headwater://join/... link")
        try:
            node = NodeId(parse_hex_id(identity))
            fields = parse_qsl(query, max_num_fields=2 * MAX_ADDRESSES)
        except (ValueError, RemoteProtocolError) as error:
            raise LocalUsageError(f"this is no invitation: {error}; copy the whole link") from error
        secrets = [value for name, value in fields if name == "secret"]
        if len(secrets) > 1 or any(len(secret) > MAX_SECRET_CHARACTERS for secret in secrets):
            raise LocalUsageError("this is no invitation: its secret is malformed")
        addresses = dialable(value for name, value in fields if name == "at")
        return cls(node, tuple(addresses), secrets[0] if secrets else "")
