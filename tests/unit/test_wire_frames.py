"""A frame is a length and a message; whatever else arrives is refused without harm."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import RemoteProtocolError
from headwater.wire.frames import HEADER_BYTES, MAX_FRAME_BYTES, decode, encode, frame_length
from headwater.wire.messages import Ping, control_decoder

_blobs = msgspec.msgpack.Decoder(bytes)


@given(st.integers(0, 2**53))
def test_what_is_encoded_reads_back(nonce: int) -> None:
    frame = encode(Ping(nonce))
    assert frame_length(frame[:HEADER_BYTES]) == len(frame) - HEADER_BYTES
    assert decode(frame[HEADER_BYTES:], control_decoder) == Ping(nonce)


def test_a_frame_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    overhead = len(msgspec.msgpack.encode(bytes(100_000))) - 100_000
    largest = bytes(MAX_FRAME_BYTES - overhead)
    assert decode(encode(largest)[HEADER_BYTES:], _blobs) == largest
    with pytest.raises(ValueError, match="a frame holds"):
        encode(largest + b"\0")


def test_an_announced_length_is_bounded() -> None:
    assert frame_length(MAX_FRAME_BYTES.to_bytes(4, "big")) == MAX_FRAME_BYTES
    with pytest.raises(RemoteProtocolError, match="limit"):
        frame_length((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))


@given(st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
def test_any_header_gives_a_bounded_length_or_is_refused(header: bytes) -> None:
    try:
        assert 0 <= frame_length(header) <= MAX_FRAME_BYTES
    except RemoteProtocolError:
        assert int.from_bytes(header, "big") > MAX_FRAME_BYTES
