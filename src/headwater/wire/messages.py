"""Every message between two nodes: what each stream carries is listed in docs/wire.md."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from headwater.wire.items import Signed
from headwater.wire.live import ClockReply, GetClock, GetParts, LiveMessage, PartsReply, Push

__all__ = [
    "PROTOCOL",
    "BlobReply",
    "BlocksReply",
    "BulkReply",
    "Control",
    "Digest",
    "Follow",
    "GetBlob",
    "GetBlocks",
    "GetInfo",
    "Goodbye",
    "Have",
    "Hello",
    "InfoReply",
    "Items",
    "LaneOffer",
    "LaneWanted",
    "OpenBulk",
    "Ping",
    "Pong",
    "Refused",
    "Request",
    "Reply",
    "StoredRequest",
    "Summary",
    "Unfollow",
    "Want",
    "control_decoder",
    "lane_decoder",
    "reply_decoder",
    "request_decoder",
]

PROTOCOL = b"headwater/1"
"""The ALPN. A change that an older node cannot read takes the next number."""

MAX_PIECES = 2**20
MAX_BLOCKS_PER_REQUEST = 256
MAX_PROOF_HASHES = 128
MAX_BLOB_BYTES = 4 * 1024 * 1024

Id32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Short = Annotated[str, Meta(max_length=200)]


# Control stream: one per link, opened by the dialling node, both directions.


class Hello(Struct, frozen=True, tag="hello"):
    """First on the control stream, from both sides. `proof`: HMAC of the mesh secret, or empty in
    an open mesh."""

    record: Signed
    proof: Annotated[bytes, Meta(max_length=32)] = b""


class Ping(Struct, frozen=True, tag="ping"):
    nonce: Count


class Pong(Struct, frozen=True, tag="pong"):
    nonce: Count


class Goodbye(Struct, frozen=True, tag="bye"):
    """Last message of a node that leaves or has no room; `retry` says whether to come back."""

    reason: Short
    retry: bool = True


class Digest(Struct, frozen=True, tag="digest", omit_defaults=True):
    """Anti-entropy, step 1: XOR of the digests of all items by bucket of their key (8 bytes a
    bucket, 256 buckets)."""

    buckets: Annotated[bytes, Meta(min_length=2048, max_length=2048)]
    is_answer: bool = False
    """Sent because the other's Digest differs, so that both sides learn what they lack: not
    answered by a third."""


class Summary(Struct, frozen=True, tag="summary"):
    """Step 2: for one bucket that differs, `key (16) + version (8, big-endian) + digest head (8)`
    of every item."""

    bucket: Annotated[int, Meta(ge=0, le=255)]
    entries: Annotated[bytes, Meta(max_length=32 * 16384)]


class Want(Struct, frozen=True, tag="want"):
    """Step 3: the keys (16 bytes each, concatenated) of which the other has the newer item."""

    keys: Annotated[bytes, Meta(max_length=16 * 4096)]


class Items(Struct, frozen=True, tag="items"):
    """Items: asked for by Want, or new ones pushed as they arrive."""

    items: Annotated[tuple[Signed, ...], Meta(max_length=512)]


class Follow(Struct, frozen=True, tag="follow"):
    """Tell me what you have of this video, now and as it grows."""

    video: Id32


class Unfollow(Struct, frozen=True, tag="unfollow"):
    video: Id32


class Have(Struct, frozen=True, tag="have"):
    """Pieces that the sender can serve: bits from `first_piece` on, most significant first. Bits
    only ever add.

    `gone`: the sender has nothing of it any more."""

    video: Id32
    first_piece: Annotated[int, Meta(ge=0, le=MAX_PIECES)] = 0
    bits: Annotated[bytes, Meta(max_length=MAX_PIECES // 8)] = b""
    whole: bool = False
    gone: bool = False


Control = (
    Hello
    | Ping
    | Pong
    | Goodbye
    | Digest
    | Summary
    | Want
    | Items
    | Follow
    | Unfollow
    | Have
    | LiveMessage
)


# Request streams: one bidirectional stream a question; one reply frame, then raw bytes where the
# reply says so.


class GetInfo(Struct, frozen=True, tag="info"):
    """The info-dict and the file's piece layer."""

    video: Id32


class GetBlocks(Struct, frozen=True, tag="blocks"):
    """`count` blocks from `first` on (0-based in the file)."""

    video: Id32
    first: Count
    count: Annotated[int, Meta(ge=1, le=MAX_BLOCKS_PER_REQUEST)]
    layer_known: bool = False
    """The asker holds the piece layer: proofs need only reach the roots of the pieces."""


class GetBlob(Struct, frozen=True, tag="blob"):
    """A poster, storyboard or subtitle by its SHA-256."""

    blob: Id32


class OpenBulk(Struct, frozen=True, tag="bulk"):
    """Where a TLS connection for bulk may be made to."""


StoredRequest = GetInfo | GetBlocks | GetBlob | OpenBulk
Request = StoredRequest | Push | GetParts | GetClock


class Refused(Struct, frozen=True, tag="refused"):
    """No answer, and why: `missing` (not here now), `busy` (ask later), `changed` (the file is no
    longer the video)."""

    reason: Literal["missing", "busy", "changed", "limit"]


class InfoReply(Struct, frozen=True, tag="info"):
    """`info_bytes` of bencoded info-dict, then `layer_bytes` of piece hashes (32 each) follow the
    frame."""

    info_bytes: Annotated[int, Meta(ge=1, le=64 * 1024 * 1024)]
    layer_bytes: Annotated[int, Meta(ge=0, le=32 * MAX_PIECES)]


class BlocksReply(Struct, frozen=True, tag="blocks"):
    """`size_bytes` of blocks follow. `proof`: the uncle hashes (32 each) in the order of
    transfer.proof."""

    size_bytes: Annotated[int, Meta(ge=1, le=MAX_BLOCKS_PER_REQUEST * 16384)]
    proof: Annotated[bytes, Meta(max_length=32 * MAX_PROOF_HASHES)] = b""


class BlobReply(Struct, frozen=True, tag="blob"):
    size_bytes: Annotated[int, Meta(ge=0, le=MAX_BLOB_BYTES)]


class BulkReply(Struct, frozen=True, tag="bulk"):
    """TLS 1.3 at these addresses, with exactly this certificate (DER); the token is the client's
    first 32 bytes."""

    addresses: Annotated[tuple[Annotated[str, Meta(max_length=80)], ...], Meta(max_length=16)]
    certificate: Annotated[bytes, Meta(max_length=4096)]
    token: Id32


# Unidirectional streams: how the two sides of a link agree on a lane. One frame each.


class LaneWanted(Struct, frozen=True, tag="lane?"):
    """From the side that dialled the link: it would use a lane."""


class LaneOffer(Struct, frozen=True, tag="lane"):
    """From the side that was dialled: the other may make the link's lane, TLS 1.3 at one of these
    addresses, with exactly this certificate (DER); the token is its first 32 bytes."""

    addresses: Annotated[tuple[Annotated[str, Meta(max_length=80)], ...], Meta(max_length=16)]
    certificate: Annotated[bytes, Meta(max_length=4096)]
    token: Id32


Reply = Refused | InfoReply | BlocksReply | BlobReply | BulkReply | PartsReply | ClockReply

control_decoder = msgspec.msgpack.Decoder(Control)
request_decoder = msgspec.msgpack.Decoder(Request)
lane_decoder = msgspec.msgpack.Decoder(LaneWanted | LaneOffer)
reply_decoder = msgspec.msgpack.Decoder(Reply)
