"""What a live is made of on the wire: parts that its stream key signed, and what the nodes of its
overlay say to each other."""

import hashlib
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta, Struct

from headwater.errors import RemoteProtocolError
from headwater.wire.frames import MALFORMED
from headwater.wire.ids import LiveId
from headwater.wire.signature import is_genuine

__all__ = [
    "MAX_ANCESTORS",
    "MAX_DURATION_US",
    "MAX_PARTS_PER_REQUEST",
    "MAX_PART_BYTES",
    "MAX_STRIPES",
    "Accept",
    "ClockReply",
    "GetClock",
    "GetParts",
    "Hold",
    "LiveHave",
    "LiveJoin",
    "LiveLeave",
    "LiveMessage",
    "LivePeers",
    "Part",
    "PartInfo",
    "PartsReply",
    "Path",
    "Push",
    "Redirect",
    "Subscribe",
    "Unsubscribe",
    "check_payload",
    "check_signature",
    "live_id",
    "part_decoder",
    "part_info",
    "pushed_decoder",
    "sign_part",
]

MAX_PART_BYTES = 4 * 1024 * 1024
"""A keyframe of 4K video takes less than half of it."""
MAX_DURATION_US = 2**32 - 1
"""More than an hour: what a player's header has room for (web/gateway/live_frames)."""
MAX_STRIPES = 16
MAX_ANCESTORS = 32
"""Longer paths are refused: a tree of 10,000 nodes is not ten deep."""
MAX_PARTS_PER_REQUEST = 64
MAX_PEERS = 32
_LIVE_DOMAIN = b"headwater/live/1\0"
_PART_DOMAIN = b"headwater/part/1\0"

Id32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Seq = Annotated[int, Meta(ge=0, le=2**40)]
Stripe = Annotated[int, Meta(ge=0, le=MAX_STRIPES - 1)]
Micros = Annotated[int, Meta(ge=0, le=2**53)]
PushNumber = Annotated[int, Meta(ge=0, le=2**53)]
Nodes = Annotated[tuple[Id32, ...], Meta(max_length=MAX_PEERS)]
Ancestors = Annotated[tuple[Id32, ...], Meta(max_length=MAX_ANCESTORS)]


def live_id(channel: bytes, stream_key: bytes) -> LiveId:
    """Of the live that `channel` (a public key, 32 bytes) lets `stream_key` (the same) make."""
    return LiveId(hashlib.sha256(_LIVE_DOMAIN + channel + stream_key).digest())


# Parts.


class PartInfo(Struct, frozen=True, array_like=True):
    """What is signed of a part. `seq` counts all parts of the live from 0, the inits among them."""

    live: Id32
    epoch: Annotated[int, Meta(ge=0, le=2**32)]
    """Grows by one when the encoder starts anew; each epoch begins with an init part."""
    seq: Seq
    group: Seq
    """`seq` of the keyframe part that it builds on: its own for a keyframe or an init."""
    init: Seq
    """`seq` of the init part (ftyp + moov) that it needs: its own for an init."""
    pts_us: Micros
    """When it is shown, from the start of the live; never smaller than that of the part before."""
    duration_us: Annotated[int, Meta(ge=0, le=MAX_DURATION_US)]
    """0 for an init."""
    capture_us: Micros
    """When its first picture was taken, microseconds since 1970 by the source's clock."""
    size_bytes: Annotated[int, Meta(ge=1, le=MAX_PART_BYTES)]
    sha256: Id32
    more: Annotated[int, Meta(ge=0, le=MAX_STRIPES - 1)] = 0
    """Parts that follow and hold the rest of the fragment that this one begins or goes on with;
    they say the same of its times."""

    @property
    def is_init(self) -> bool:
        return self.init == self.seq

    @property
    def is_key(self) -> bool:
        """A player can start here (with the init)."""
        return self.group == self.seq and self.init != self.seq


class Part(Struct, frozen=True, array_like=True):
    """A part's header as it travels, unchanged from the source on; `size_bytes` of payload
    follow."""

    info: Annotated[bytes, Meta(max_length=256)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


_encoder = msgspec.msgpack.Encoder()
_info_decoder = msgspec.msgpack.Decoder(PartInfo)
part_decoder = msgspec.msgpack.Decoder(Part)
pushed_decoder = msgspec.msgpack.Decoder(Part | Seq)
"""What a push stream carries."""


def sign_part(key: Ed25519PrivateKey, info: PartInfo) -> Part:
    body = _encoder.encode(info)
    return Part(body, key.sign(_PART_DOMAIN + body))


def part_info(part: Part) -> PartInfo:
    """What it says, unchecked. Raises: RemoteProtocolError on a malformed body."""
    try:
        info = _info_decoder.decode(part.info)
    except MALFORMED as error:
        raise RemoteProtocolError(f"a part's header is malformed: {error}") from error
    if not info.init <= info.group <= info.seq:
        raise RemoteProtocolError("a part's header contradicts itself")
    return info


def check_signature(stream_key: bytes, part: Part) -> None:
    """Raises: RemoteProtocolError when it is forged."""
    if not is_genuine(part.signature, stream_key, _PART_DOMAIN + part.info):
        raise RemoteProtocolError("the signature of a part is forged")


def check_payload(info: PartInfo, payload: bytes | memoryview) -> None:
    """Raises: RemoteProtocolError when it is not the one that was signed."""
    if len(payload) != info.size_bytes or hashlib.sha256(payload).digest() != info.sha256:
        raise RemoteProtocolError(f"part {info.seq} does not hold what its header says")


# Control stream. All name the live; a node that takes no part in it ignores them.


class LiveJoin(Struct, frozen=True, tag="l.join"):
    """I take part in it. Answered by the same, unless `is_answer`; repeated when `slots` change."""

    live: Id32
    slots: Annotated[int, Meta(ge=0, le=2**16)]
    """Stripes that the sender could serve in all, by its uplink."""
    free: Annotated[int, Meta(ge=0, le=2**16)]
    is_answer: bool = False
    viewers: Annotated[int, Meta(ge=0, le=2**32)] = 0
    """At and below the sender along stripe 0."""
    flows: Annotated[int, Meta(ge=0, le=2**MAX_STRIPES)] = 0
    """Bit i: stripe i reaches the sender, so that it can be passed on."""
    open: Annotated[int, Meta(ge=0, le=2**MAX_STRIPES)] = 0
    """Bit i: and a slot is left for it."""
    weakest: Annotated[int, Meta(ge=0, le=2**16)] = 2**16
    """Slots of the sender's weakest child: who has twice as many is taken in its place."""


class LiveLeave(Struct, frozen=True, tag="l.leave"):
    live: Id32


class LivePeers(Struct, frozen=True, tag="l.peers"):
    """Others who take part: where to find neighbours and backups."""

    live: Id32
    nodes: Nodes


class LiveHave(Struct, frozen=True, tag="l.have"):
    """`edge`: the newest part that the sender has; bit i of `bits` (the lowest of the first byte
    is 0) says whether it has `edge - i`."""

    live: Id32
    edge: Seq
    bits: Annotated[bytes, Meta(max_length=32)]


class Subscribe(Struct, frozen=True, tag="l.sub"):
    """Push me this stripe from `first` on. Answered by Accept or Redirect."""

    live: Id32
    stripe: Stripe
    first: Seq
    slots: Annotated[int, Meta(ge=0, le=2**16)]
    """As in LiveJoin: a full parent compares it with its children's."""


class Accept(Struct, frozen=True, tag="l.ok"):
    live: Id32
    stripe: Stripe
    ancestors: Ancestors
    """Of the sender along this stripe, the nearest first, without itself."""


class Path(Struct, frozen=True, tag="l.path"):
    """To a child: the ancestors have changed."""

    live: Id32
    stripe: Stripe
    ancestors: Ancestors


class Redirect(Struct, frozen=True, tag="l.redir"):
    """Not (or no longer) from me: ask these. A child that gets it keeps its feed until the new one
    flows or `keep_ms` have passed."""

    live: Id32
    stripe: Stripe
    nodes: Nodes
    keep_ms: Annotated[int, Meta(ge=0, le=10_000)] = 0


class Unsubscribe(Struct, frozen=True, tag="l.unsub"):
    live: Id32
    stripe: Stripe


class Hold(Struct, frozen=True, tag="l.hold"):
    """To a child: this stripe is broken above me and I mend it; stay."""

    live: Id32
    stripe: Stripe


LiveMessage = (
    LiveJoin
    | LiveLeave
    | LivePeers
    | LiveHave
    | Subscribe
    | Accept
    | Path
    | Redirect
    | Unsubscribe
    | Hold
)


# Streams of their own.


class Push(Struct, frozen=True, tag="l.push"):
    """First on a stream that a parent opens to its child: frames of Part, each followed by its
    payload, of one stripe; of a part that is left out a frame with its bare number. No reply.
    `number`: of the pushes that this node has begun: of two the one with the greater goes on."""

    live: Id32
    stripe: Stripe
    number: PushNumber = 0


class GetParts(Struct, frozen=True, tag="l.get"):
    """Parts of the live by number, for repair, the burst at a join, and time shift; those that are
    not here are left out of the answer."""

    live: Id32
    seqs: Annotated[tuple[Seq, ...], Meta(min_length=1, max_length=MAX_PARTS_PER_REQUEST)]


class GetClock(Struct, frozen=True, tag="l.clock"):
    """What the source's clock shows, as far as you know: for the delay that people are shown."""

    live: Id32


class ClockReply(Struct, frozen=True, tag="l.clock"):
    """Units: microseconds, since 1970 where it is a time."""

    clock_us: Micros
    """The sender's clock."""
    offset_us: Annotated[int, Meta(ge=-(2**53), le=2**53)]
    """To be added for the source's."""
    error_us: Annotated[int, Meta(ge=0, le=2**53)]
    """How wrong that can be at most."""


class PartsReply(Struct, frozen=True, tag="l.parts"):
    """`count` times a frame of Part with its payload follow."""

    count: Annotated[int, Meta(ge=0, le=MAX_PARTS_PER_REQUEST)]
