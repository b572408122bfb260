"""Every message of every stream: round trip, bounds, and no harm from anything else."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from wire_strategies import anything_packed, struct_types, values_of

from headwater.errors import RemoteProtocolError
from headwater.wire.frames import HEADER_BYTES, MAX_FRAME_BYTES, decode, encode
from headwater.wire.items import Signed
from headwater.wire.messages import (
    MAX_PIECES,
    Control,
    Digest,
    Have,
    Items,
    Ping,
    Reply,
    Request,
    Summary,
    Want,
    control_decoder,
    reply_decoder,
    request_decoder,
)

STREAMS = [(Control, control_decoder), (Request, request_decoder), (Reply, reply_decoder)]
few = settings(max_examples=15)  # of each of twenty messages
MESSAGES = [(kind, decoder) for union, decoder in STREAMS for kind in struct_types(union)]


@pytest.mark.parametrize(("kind", "decoder"), MESSAGES)
@few
@given(draw=st.data())
def test_every_message_reads_back(kind: Any, decoder: Any, draw: st.DataObject) -> None:
    message = draw.draw(values_of(kind))
    assert decode(encode(message)[HEADER_BYTES:], decoder) == message


@pytest.mark.parametrize("decoder", [decoder for _, decoder in STREAMS])
@given(body=st.binary(max_size=300) | anything_packed())
def test_garbage_is_refused_as_such(decoder: Any, body: bytes) -> None:
    try:
        message = decode(body, decoder)
    except RemoteProtocolError:
        return
    assert isinstance(message, msgspec.Struct)


@pytest.mark.parametrize(("kind", "decoder"), MESSAGES)
@few
@given(draw=st.data())
def test_a_message_cut_at_any_byte_is_refused(kind: Any, decoder: Any, draw: st.DataObject) -> None:
    body = encode(draw.draw(values_of(kind)))[HEADER_BYTES:]
    for size in range(0, len(body), max(1, len(body) // 50)):
        with pytest.raises(RemoteProtocolError):
            decode(body[:size], decoder)


@pytest.mark.parametrize(("kind", "decoder"), MESSAGES)
@few
@given(draw=st.data())
def test_a_message_with_any_byte_changed_does_no_harm(
    kind: Any, decoder: Any, draw: st.DataObject
) -> None:
    body = bytearray(encode(draw.draw(values_of(kind)))[HEADER_BYTES:])
    body[draw.draw(st.integers(0, len(body) - 1))] = draw.draw(st.integers(0, 255))
    try:
        message = decode(bytes(body), decoder)
    except RemoteProtocolError:
        return
    assert isinstance(message, msgspec.Struct)


@pytest.mark.parametrize(("kind", "decoder"), MESSAGES)
def test_every_field_that_can_grow_is_bounded(kind: Any, decoder: Any) -> None:
    def unbounded(info: inspect.Type) -> bool:
        match info:
            case inspect.StrType() | inspect.BytesType():
                return info.max_length is None
            case inspect.IntType():
                return info.ge is None or info.le is None
            case inspect.VarTupleType():
                return info.max_length is None or unbounded(info.item_type)
            case inspect.StructType():
                return any(unbounded(field.type) for field in info.fields)
            case _:
                return False

    assert not unbounded(inspect.type_info(kind))


@pytest.mark.parametrize(
    ("fits", "passes"),
    [
        (Digest(bytes(2048)), Digest(bytes(2049))),
        (Summary(255, bytes(32 * 16384)), Summary(255, bytes(32 * 16384 + 1))),
        (Summary(0, b""), Summary(256, b"")),
        (Want(bytes(16 * 4096)), Want(bytes(16 * 4096 + 1))),
        (
            Have(bytes(32), 0, bytes(MAX_PIECES // 8)),
            Have(bytes(32), 0, bytes(MAX_PIECES // 8 + 1)),
        ),
        (
            Items((Signed(bytes(32), b"", bytes(64)),) * 512),
            Items((Signed(bytes(32), b"", bytes(64)),) * 513),
        ),
    ],
)
def test_the_largest_fits_a_frame_and_one_more_is_refused(fits: Any, passes: Any) -> None:
    frame = encode(fits)
    assert len(frame) <= MAX_FRAME_BYTES
    assert decode(frame[HEADER_BYTES:], control_decoder) == fits
    with pytest.raises(RemoteProtocolError):
        decode(encode(passes)[HEADER_BYTES:], control_decoder)


@pytest.mark.parametrize(
    "unknown_field",
    [
        b"\x91" * 200_000 + b"\x01",  # lists in lists without end
        b"\xdd\xff\xff\xff\xff",  # a list said to hold 4 billion
        b"\xdb\xff\xff\xff\xff",
        b"\xa2\xff\xff",  # no UTF-8
    ],
)
def test_a_field_that_nobody_knows_cannot_do_harm_either(unknown_field: bytes) -> None:
    body = b"\x83\xa4type\xa4ping\xa5nonce\x01\xa1x" + unknown_field
    with contextlib.suppress(RemoteProtocolError):
        assert decode(body, control_decoder) == Ping(1)
