"""`host:port` and what is answered there."""

import base64
import json

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from headwater.discovery.wellknown import decode_record, encode_record, page_of
from headwater.errors import LocalUsageError, RemoteProtocolError
from headwater.wire.items import NodeRecord, Retraction, Signed, sign_item

KEY = Ed25519PrivateKey.generate()
RECORD = NodeRecord(version=1, name="anna", addresses=("192.0.2.7:4711",))


@pytest.mark.parametrize(
    ("typed", "page"),
    [
        ("192.0.2.7:8000", "http://192.0.2.7:8000"),
        ("anna.local", "http://anna.local:7333"),
        (" anna:1 ", "http://anna:1"),
        ("[::1]:7333", "http://[::1]:7333"),
        ("http://anna:8000/", "http://anna:8000"),
        ("https://anna.example", "https://anna.example:443"),
    ],
)
def test_what_people_type_is_understood(typed: str, page: str) -> None:
    assert page_of(typed) == page


@pytest.mark.parametrize(
    "typed", ["", ":7333", "anna:port", "anna:99999", "file:///etc/passwd", "http://a:b@c", "[::1"]
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(LocalUsageError, match="no host:port"):
        page_of(typed)


def test_a_record_reads_back() -> None:
    item = sign_item(KEY, RECORD)
    assert decode_record(encode_record(item.signed)) == item


def answer(signed: Signed) -> bytes:
    return json.dumps({"item": base64.b64encode(msgspec.msgpack.encode(signed)).decode()}).encode()


def test_forgeries_and_other_items_are_refused() -> None:
    good = sign_item(KEY, RECORD).signed
    forged = msgspec.structs.replace(good, body=good.body.replace(b"anna", b"eve_"))
    other = sign_item(KEY, Retraction(version=1, video=bytes(32))).signed
    assert decode_record(answer(good)).body == RECORD
    for wrong in (forged, other):
        with pytest.raises(RemoteProtocolError):
            decode_record(answer(wrong))


@given(st.binary(max_size=300) | st.builds(lambda t: json.dumps({"item": t}).encode(), st.text()))
def test_garbage_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_record(body)


def test_endless_nesting_is_refused_like_other_garbage() -> None:
    signed = msgspec.msgpack.encode(sign_item(KEY, RECORD).signed)
    longer = b"\x94" + signed[1:] + b"\x91" * 40_000  # a fourth element, lists without end
    for body in (
        b'{"item": "", "more": ' + b"[" * 60_000,
        json.dumps({"item": base64.b64encode(longer).decode()}).encode(),
    ):
        with pytest.raises(RemoteProtocolError):
            decode_record(body)
