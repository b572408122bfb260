"""Signed catalogue items: what spreads by gossip. Bytes are canonical MessagePack; the author
signs them.

Every kind follows one rule: of two items with the same `item_key`, the greater `(version,
digest)` wins, on every node, in whatever order they arrive. A Retraction shares its key with the
VideoEntry that it ends.
"""

import hashlib
import re
from typing import Annotated, Literal, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta, Struct

from headwater.errors import RemoteProtocolError
from headwater.wire.frames import MALFORMED
from headwater.wire.ids import ItemKey, NodeId, VideoId
from headwater.wire.live import live_id
from headwater.wire.signature import is_genuine

__all__ = [
    "MAX_ITEM_BYTES",
    "Body",
    "Claim",
    "Holding",
    "HoldingState",
    "Item",
    "LiveEntry",
    "NodeRecord",
    "Retraction",
    "Signed",
    "Subtitle",
    "VideoEntry",
    "claim_of",
    "item_key",
    "open_item",
    "sign_item",
]

MAX_ITEM_BYTES = 16 * 1024
_DOMAIN = b"headwater/item/1\0"

_UNREADABLE = "\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
"""Controls, line separators, turns of the direction of writing: traps for terminals and eyes."""
_READABLE = rf"^[^{_UNREADABLE}]*\Z"

Id32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=_READABLE)]
Title = Annotated[str, Meta(min_length=1, max_length=300, pattern=_READABLE)]
Word = Annotated[str, Meta(max_length=64, pattern=_READABLE)]
FileName = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=rf"^(?!\.\.?\Z)[^/\\{_UNREADABLE}]*\Z")
]
"""One name, which leads nowhere else."""
Page = Annotated[str, Meta(max_length=200, pattern=r"^(https?://[\x21-\x7e]+)?\Z")]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Version = Annotated[int, Meta(ge=1, le=2**53)]
"""Milliseconds since 1970 by the author's clock, or one more than the last one where that is
greater."""


class NodeRecord(Struct, frozen=True, tag="node", omit_defaults=True):
    """Who a node is and where it answers. Expires unless renewed."""

    version: Version
    name: Name
    addresses: Annotated[tuple[Annotated[str, Meta(max_length=80)], ...], Meta(max_length=16)] = ()
    """`ip:port` of its link endpoint, the likeliest first."""
    page: Page = ""
    """Its HTTP address where it serves others (`http://ip:port`), else empty."""
    roles: Annotated[tuple[Word, ...], Meta(max_length=8)] = ()
    uplink_bps: Count = 0
    quota_bytes: Count = 0


class Subtitle(Struct, frozen=True):
    """A WebVTT track, fetched as a blob."""

    language: Word
    label: Word
    blob: Id32


class VideoEntry(Struct, frozen=True, tag="video", omit_defaults=True):
    """A finished recording, or any other file, as its channel describes it."""

    version: Version
    video: Id32
    pieces_root: Id32
    """Root of the file's BEP 52 Merkle tree: blocks are proven against it before the info-dict is
    here."""
    piece_bytes: Annotated[int, Meta(ge=16384, le=16 * 1024 * 1024)]
    size_bytes: Annotated[int, Meta(ge=1, le=2**50)]
    title: Title
    file_name: FileName
    media_type: Word
    """Of the bytes as they are (`video/mp4`, `video/webm`, `video/x-matroska`,
    `application/octet-stream`)."""
    plays: Literal["direct", "remux", "transcode", "no"] = "no"
    """What it takes to show the bytes in a browser."""
    duration_ms: Count = 0
    width: Annotated[int, Meta(ge=0, le=65536)] = 0
    height: Annotated[int, Meta(ge=0, le=65536)] = 0
    codecs: Annotated[tuple[Word, ...], Meta(max_length=8)] = ()
    infohash_v1: Annotated[bytes, Meta(max_length=20)] = b""
    poster: Annotated[bytes, Meta(max_length=32)] = b""
    """SHA-256 of a JPEG or WebP blob, or empty."""
    storyboard: Annotated[bytes, Meta(max_length=32)] = b""
    """SHA-256 of a picture of `storyboard_columns` tiles a row, one tile every
    `storyboard_step_ms`."""
    storyboard_columns: Annotated[int, Meta(ge=0, le=64)] = 0
    storyboard_rows: Annotated[int, Meta(ge=0, le=64)] = 0
    storyboard_step_ms: Count = 0
    subtitles: Annotated[tuple[Subtitle, ...], Meta(max_length=32)] = ()
    node: Id32 = bytes(32)
    """The node that published it and holds it whole."""
    created_ms: Count = 0
    live: Annotated[bytes, Meta(max_length=32)] = b""
    """The live that it is the recording of, or empty."""
    groups: Annotated[bytes, Meta(max_length=32)] = b""
    """Of a recording: blob that tells where its groups lie (wire.groups), or empty."""


class Retraction(Struct, frozen=True, tag="retract"):
    """The channel takes back what it published."""

    version: Version
    video: Id32


class LiveEntry(Struct, frozen=True, tag="live", omit_defaults=True):
    """A live, as its channel (the author) describes it: the stream record of the design. It is
    renewed while the live goes on; what is not renewed has gone off the air without a word."""

    version: Version
    live: Id32
    """wire.live.live_id(author, stream_key)."""
    stream_key: Id32
    """The Ed25519 key that signs the parts: the encoder's box need not hold the channel's."""
    title: Title
    node: Id32
    """The node that feeds the overlay."""
    state: Literal["on", "waiting", "ended"] = "on"
    """`waiting`: the encoder has gone and may come back."""
    stripes: Annotated[int, Meta(ge=1, le=16)] = 4
    part_ms: Annotated[int, Meta(ge=10, le=2000)] = 100
    media_type: Word = ""
    """As MSE takes it (`video/mp4; codecs="avc1.64001f, mp4a.40.2"`), or `image/jpeg`: each part
    is a picture. Of the newest init; empty before the first."""
    width: Annotated[int, Meta(ge=0, le=65536)] = 0
    height: Annotated[int, Meta(ge=0, le=65536)] = 0
    created_ms: Count = 0
    viewers: Annotated[int, Meta(ge=0, le=2**32)] = 0
    poster: Annotated[bytes, Meta(max_length=32)] = b""
    recording: Annotated[bytes, Meta(max_length=32)] = b""
    """The video that it has become, once it has ended."""
    parts: Annotated[int, Meta(ge=0, le=2**40)] = 0
    """How many it has had, once it has ended."""
    dvr_s: Annotated[int, Meta(ge=0, le=604_800)] = 0
    """How far back its node gives parts."""


HoldingState = Literal["whole", "partial", "gone"]


class Holding(Struct, frozen=True, tag="hold"):
    """A node (the author) has a copy, is fetching one, or has no more."""

    version: Version
    video: Id32
    state: HoldingState


Body = NodeRecord | VideoEntry | Retraction | Holding | LiveEntry


class Signed(Struct, frozen=True, array_like=True):
    """An item as it travels: the signed bytes themselves are kept, so they can be passed on
    unchanged."""

    author: Id32
    body: Annotated[bytes, Meta(max_length=MAX_ITEM_BYTES)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class Claim(Struct, frozen=True):
    """What an item says, before its signature was checked: enough to see whether it would be
    news."""

    author: NodeId
    body: Body
    key: ItemKey
    digest: bytes
    """SHA-256 of author and body, 32 bytes."""

    @property
    def version(self) -> int:
        return self.body.version

    @property
    def video(self) -> VideoId | None:
        return None if isinstance(self.body, NodeRecord | LiveEntry) else VideoId(self.body.video)

    def replaces(self, other: "Claim") -> bool:
        """Whether this one wins over another of the same key."""
        return (self.version, self.digest) > (other.version, other.digest)


class Item(Claim, frozen=True):
    """A Signed whose signature was checked: the only form in which the rest of the code meets
    one."""

    signed: Signed


_encoder = msgspec.msgpack.Encoder(order="sorted")
_decoder = msgspec.msgpack.Decoder(Body)
_KINDS = {NodeRecord: b"n", VideoEntry: b"v", Retraction: b"v", Holding: b"h", LiveEntry: b"l"}


def item_key(kind: type[Body], author: bytes, video: bytes = b"") -> ItemKey:
    """The key that an author's items of that kind about that video or live share (a NodeRecord has
    neither)."""
    return ItemKey(hashlib.sha256(_KINDS[kind] + author + video).digest()[:16])


def _subject(body: Body) -> bytes:
    match body:
        case NodeRecord():
            return b""
        case LiveEntry():
            return body.live
        case _:
            return body.video


def claim_of(signed: Signed) -> Claim:
    """Raises: RemoteProtocolError on a malformed body."""
    try:
        body = _decoder.decode(signed.body)
    except MALFORMED as error:
        raise RemoteProtocolError(f"a signed item is malformed: {error}") from error
    if isinstance(body, LiveEntry) and body.live != live_id(signed.author, body.stream_key):
        raise RemoteProtocolError("a live's id is not made of its channel and stream key")
    key = item_key(type(body), signed.author, _subject(body))
    digest = hashlib.sha256(signed.author + signed.body).digest()
    return Claim(NodeId(signed.author), body, key, digest)


def sign_item(key: Ed25519PrivateKey, body: Body) -> Item:
    """The item that `key` vouches for; signs in its texts that nobody would take become spaces.

    Raises: ValueError when a field passes its bound."""
    raw = _encoder.encode(_readable(body))
    if len(raw) > MAX_ITEM_BYTES:
        raise ValueError(f"the item takes {len(raw)} bytes, the limit is {MAX_ITEM_BYTES}")
    author = key.public_key().public_bytes_raw()
    try:
        return _checked(Signed(author, raw, key.sign(_DOMAIN + raw)))
    except RemoteProtocolError as error:
        raise ValueError(f"nobody would take this item: {error}") from error


def open_item(signed: Signed) -> Item:
    """The checked item. Raises: RemoteProtocolError on a forged signature or a malformed body."""
    if not is_genuine(signed.signature, signed.author, _DOMAIN + signed.body):
        raise RemoteProtocolError("an item's signature does not match its author")
    return _checked(signed)


S = TypeVar("S", bound=Struct)
_unreadable = re.compile(f"[{_UNREADABLE}]")


def _readable(struct: S) -> S:
    changed: dict[str, object] = {}
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if isinstance(value, str) and _unreadable.search(value):
            changed[name] = _unreadable.sub(" ", value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Struct):
            changed[name] = tuple(map(_readable, value))
    return msgspec.structs.replace(struct, **changed) if changed else struct


def _checked(signed: Signed) -> Item:
    claim = claim_of(signed)
    return Item(claim.author, claim.body, claim.key, claim.digest, signed)
