"""Signed items: what an author said reads back, what nobody said does not pass."""

from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from wire_strategies import anything_packed, values_of

from headwater.errors import RemoteProtocolError
from headwater.wire.items import (
    MAX_ITEM_BYTES,
    Body,
    Holding,
    LiveEntry,
    NodeRecord,
    Retraction,
    Signed,
    Subtitle,
    VideoEntry,
    claim_of,
    item_key,
    open_item,
    sign_item,
)
from headwater.wire.live import live_id

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
VIDEO = bytes([7]) * 32
AUTHOR = KEY.public_key().public_bytes_raw()


def _honest(body: Body) -> Body:
    """As KEY may sign it: a live's id is made of its channel and stream key."""
    if not isinstance(body, LiveEntry):
        return body
    return msgspec.structs.replace(body, live=live_id(AUTHOR, body.stream_key))


BODIES: st.SearchStrategy[Body] = values_of(Body).map(_honest)


def _entry(**changes: Any) -> VideoEntry:
    fields = {
        **{"version": 5, "video": VIDEO, "pieces_root": bytes(32), "piece_bytes": 262144},
        **{"size_bytes": 9, "title": "Holiday", "file_name": "h.mp4", "media_type": "video/mp4"},
    }
    return VideoEntry(**{**fields, **changes})


def _live(stream_key: bytes, **changes: Any) -> LiveEntry:
    fields = {"live": live_id(AUTHOR, stream_key), "title": "Derby", "node": AUTHOR}
    return LiveEntry(**{"version": 5, "stream_key": stream_key, **fields, **changes})


@given(BODIES)
def test_a_signed_item_opens_as_what_was_signed(body: Body) -> None:
    item = sign_item(KEY, body)
    opened = open_item(msgspec.msgpack.decode(msgspec.msgpack.encode(item.signed), type=Signed))
    assert opened == item
    assert opened.body == body
    assert opened.author == KEY.public_key().public_bytes_raw()


@given(BODIES)
def test_the_same_body_signs_to_the_same_bytes(body: Body) -> None:
    assert sign_item(KEY, body).signed == sign_item(KEY, body).signed


@given(body=BODIES, at=st.integers(0, 2**16), bit=st.integers(0, 7))
def test_a_changed_bit_anywhere_is_found(body: Body, at: int, bit: int) -> None:
    signed = sign_item(KEY, body).signed
    joined = bytearray(signed.author + signed.signature + signed.body)
    joined[at % len(joined)] ^= 1 << bit
    forged = Signed(bytes(joined[:32]), bytes(joined[96:]), bytes(joined[32:96]))
    with pytest.raises(RemoteProtocolError):
        open_item(forged)


def test_another_authors_signature_does_not_pass() -> None:
    signed = sign_item(KEY, _entry()).signed
    stolen = Signed(OTHER.public_key().public_bytes_raw(), signed.body, signed.signature)
    with pytest.raises(RemoteProtocolError, match="signature"):
        open_item(stolen)


def test_a_signature_from_another_domain_does_not_pass() -> None:
    body = sign_item(KEY, _entry()).signed.body
    author = KEY.public_key().public_bytes_raw()
    with pytest.raises(RemoteProtocolError, match="signature"):
        open_item(Signed(author, body, KEY.sign(body)))


@given(st.binary(max_size=200) | anything_packed())
def test_well_signed_garbage_is_refused(raw: bytes) -> None:
    author = KEY.public_key().public_bytes_raw()
    signed = Signed(author, raw, KEY.sign(b"headwater/item/1\0" + raw))
    with pytest.raises(RemoteProtocolError, match="malformed"):
        open_item(signed)


@given(body=BODIES, size=st.integers(0, 2**16))
def test_a_cut_body_is_refused(body: Body, size: int) -> None:
    raw = sign_item(KEY, body).signed.body
    with pytest.raises(RemoteProtocolError):
        claim_of(Signed(bytes(32), raw[: size % len(raw)], bytes(64)))


@given(st.binary(min_size=32, max_size=32))
def test_an_author_that_is_no_key_is_refused(author: bytes) -> None:
    signed = sign_item(KEY, _entry()).signed
    with pytest.raises(RemoteProtocolError):
        open_item(Signed(author, signed.body, signed.signature))


def test_an_entry_and_its_retraction_share_a_key_and_nothing_else_does() -> None:
    author = KEY.public_key().public_bytes_raw()
    entry, retraction = sign_item(KEY, _entry()), sign_item(KEY, Retraction(6, VIDEO))
    assert entry.key == retraction.key == item_key(VideoEntry, author, VIDEO)
    keys = {
        *(entry.key, sign_item(OTHER, _entry()).key, sign_item(KEY, _entry(video=bytes(32))).key),
        *(sign_item(KEY, Holding(1, VIDEO, "whole")).key, sign_item(KEY, NodeRecord(1, "n")).key),
        *(sign_item(KEY, _live(bytes(32))).key, sign_item(KEY, _live(bytes([1]) * 32)).key),
    }
    assert len(keys) == 7


def test_the_greater_version_wins_and_the_digest_decides_a_tie() -> None:
    old, new = sign_item(KEY, _entry(version=5)), sign_item(KEY, _entry(version=6))
    twin = sign_item(KEY, _entry(version=5, title="Other"))
    assert new.replaces(old)
    assert not old.replaces(new)
    assert not old.replaces(old)
    assert old.replaces(twin) != twin.replaces(old)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": 2**53 + 1},
        {"title": ""},
        {"title": "t" * 301},
        {"file_name": "f" * 256},
        {"piece_bytes": 1024},
        {"size_bytes": 0},
        {"video": bytes(31)},
        {"plays": "maybe"},
        {"file_name": ".."},
        {"file_name": "../../etc/passwd"},
        {"file_name": "C:\\boot.ini"},
        {"codecs": ("c",) * 9},
        {"subtitles": (Subtitle("en", "English", bytes(32)),) * 33},
    ],
)
def test_a_field_beyond_its_bound_cannot_even_be_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="nobody would take"):
        sign_item(KEY, _entry(**changes))


def test_an_item_is_bounded_as_a_whole() -> None:
    track = Subtitle("\U0001f3ac" * 64, "\U0001f3ac" * 64, bytes(32))
    with pytest.raises(ValueError, match="16384"):
        sign_item(KEY, _entry(subtitles=(track,) * 32))


def test_every_field_at_its_bound_still_fits_an_item() -> None:
    track = Subtitle("l" * 64, "b" * 64, bytes(32))
    full = _entry(
        **{"title": "\U0001f3ac" * 300, "file_name": "\U0001f3ac" * 255, "codecs": ("c" * 64,) * 8},
        **{"subtitles": (track,) * 32, "size_bytes": 2**50, "version": 2**53},
    )
    item = sign_item(KEY, full)
    assert len(item.signed.body) <= MAX_ITEM_BYTES
    assert open_item(item.signed).body == full


@pytest.mark.parametrize("trap", ["\0", "\x1b", "\n", "\x7f", "\x9b", "\u202e", "\u2028", "\u2066"])
def test_traps_in_texts_are_taken_out_at_signing_and_refused_from_others(trap: str) -> None:
    track = Subtitle("en", f"Eng{trap}lish", bytes(32))
    texts = {"title": f"a{trap}b", "file_name": f"a{trap}b", "subtitles": (track,)}
    item = sign_item(KEY, _entry(**texts))
    assert isinstance(item.body, VideoEntry)
    assert (item.body.title, item.body.file_name) == ("a b", "a b")
    assert item.body.subtitles[0].label == "Eng lish"
    for field in texts:
        raw = msgspec.msgpack.encode(_entry(**{field: texts[field]}))
        with pytest.raises(RemoteProtocolError, match="malformed"):
            claim_of(Signed(bytes(32), raw, bytes(64)))


def test_a_name_that_is_no_unicode_can_be_signed() -> None:
    item = sign_item(KEY, NodeRecord(1, b"caf\xe9".decode(errors="surrogateescape")))
    assert isinstance(item.body, NodeRecord)
    assert item.body.name == "caf "


@pytest.mark.parametrize("page", ["javascript:alert(1)", "http://", "http://a b", "http://a\n"])
def test_a_page_is_an_http_address_or_none(page: str) -> None:
    raw = msgspec.msgpack.encode(NodeRecord(1, "n", page=page))
    with pytest.raises(RemoteProtocolError, match="malformed"):
        claim_of(Signed(bytes(32), raw, bytes(64)))


@pytest.mark.parametrize("name", ["...", ".hidden", "a..b", "été.mp4", "東京 (2).webm", " "])
def test_an_unusual_name_is_a_name(name: str) -> None:
    item = sign_item(KEY, _entry(file_name=name))
    assert isinstance(item.body, VideoEntry)
    assert item.body.file_name == name


def test_a_live_belongs_to_its_channel_and_stream_key() -> None:
    entry = _live(bytes(32))
    assert open_item(sign_item(KEY, entry).signed).body == entry
    for key, stolen in ((OTHER, entry), (KEY, _live(bytes(32), live=VIDEO))):
        with pytest.raises(ValueError, match="not made of its channel"):
            sign_item(key, stolen)
