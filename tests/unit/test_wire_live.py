"""Parts of a live: what its stream key signed opens as that, on every node; nothing else opens."""

import hashlib
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from wire_strategies import anything_packed, values_of

from headwater.errors import RemoteProtocolError
from headwater.wire.frames import HEADER_BYTES, decode, encode
from headwater.wire.live import (
    MAX_DURATION_US,
    MAX_PART_BYTES,
    MAX_STRIPES,
    Part,
    PartInfo,
    check_payload,
    check_signature,
    live_id,
    part_decoder,
    part_info,
    sign_part,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = KEY.public_key().public_bytes_raw()
PAYLOAD = b"moof and mdat"
DOMAIN = b"headwater/part/1\0"


def _info(payload: bytes = PAYLOAD, **changes: Any) -> PartInfo:
    fields: dict[str, Any] = {
        **{"live": bytes(32), "epoch": 0, "seq": 9, "group": 4, "init": 0, "pts_us": 900_000},
        **{"duration_us": 100_000, "capture_us": 1_700_000_000_000_000},
        **{"size_bytes": len(payload), "sha256": hashlib.sha256(payload).digest()},
    }
    return PartInfo(**{**fields, **changes})


@st.composite
def infos(draw: st.DrawFn) -> PartInfo:
    drawn: PartInfo = draw(values_of(PartInfo))
    init, group, seq = sorted((drawn.init, drawn.group, drawn.seq))
    return msgspec.structs.replace(drawn, init=init, group=group, seq=seq)


def open_part(part: Part, payload: bytes) -> PartInfo:
    """As a node does with what comes."""
    info = part_info(part)
    check_signature(PUBLIC, part)
    check_payload(info, payload)
    return info


@given(infos())
def test_a_header_travels_unchanged_and_reads_back(info: PartInfo) -> None:
    part = sign_part(KEY, info)
    travelled = decode(encode(part)[HEADER_BYTES:], part_decoder)
    assert travelled == part
    assert encode(travelled) == encode(part)
    assert part_info(travelled) == info


@given(payload=st.binary(min_size=1, max_size=300), info=infos())
def test_what_was_signed_opens(payload: bytes, info: PartInfo) -> None:
    changes = {"size_bytes": len(payload), "sha256": hashlib.sha256(payload).digest()}
    info = msgspec.structs.replace(info, **changes)
    assert open_part(sign_part(KEY, info), payload) == info


@given(at=st.integers(0, 2**16), bit=st.integers(0, 7))
def test_a_changed_bit_anywhere_is_found(at: int, bit: int) -> None:
    part = sign_part(KEY, _info())
    joined = bytearray(part.signature + part.info + PAYLOAD)
    joined[at % len(joined)] ^= 1 << bit
    end = 64 + len(part.info)
    forged = Part(bytes(joined[64:end]), bytes(joined[:64]))
    with pytest.raises(RemoteProtocolError):
        open_part(forged, bytes(joined[end:]))


@pytest.mark.parametrize("payload", [PAYLOAD[:-1], PAYLOAD + b"!", b"", PAYLOAD.upper()])
def test_another_payload_does_not_pass(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="does not hold"):
        open_part(sign_part(KEY, _info()), payload)


def test_another_keys_signature_does_not_pass() -> None:
    with pytest.raises(RemoteProtocolError, match="forged"):
        open_part(sign_part(OTHER, _info()), PAYLOAD)


def test_a_signature_from_another_domain_does_not_pass() -> None:
    body = sign_part(KEY, _info()).info
    with pytest.raises(RemoteProtocolError, match="forged"):
        open_part(Part(body, KEY.sign(body)), PAYLOAD)


@given(st.binary(max_size=200) | anything_packed())
def test_well_signed_garbage_is_refused(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="malformed"):
        part_info(Part(raw, KEY.sign(DOMAIN + raw)))


@given(info=infos(), size=st.integers(0, 2**16))
def test_a_cut_header_is_refused(info: PartInfo, size: int) -> None:
    part = sign_part(KEY, info)
    with pytest.raises(RemoteProtocolError):
        part_info(Part(part.info[: size % len(part.info)], part.signature))


@pytest.mark.parametrize(
    "changes",
    [
        {"group": 10},
        {"init": 5},
        {"size_bytes": 0},
        {"size_bytes": MAX_PART_BYTES + 1},
        {"seq": 2**40 + 1},
        {"live": bytes(31)},
        {"sha256": b""},
        {"pts_us": -1},
        {"duration_us": MAX_DURATION_US + 1},
        {"more": -1},
        {"more": MAX_STRIPES},
    ],
)
def test_a_header_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        part_info(sign_part(KEY, _info(**changes)))


def test_the_largest_header_fits_its_bound() -> None:
    most: dict[str, Any] = {"pts_us": 2**53, "duration_us": MAX_DURATION_US, "capture_us": 2**53}
    most |= {"epoch": 2**32, "seq": 2**40, "group": 2**40, "init": 2**40}
    info = _info(**most, size_bytes=MAX_PART_BYTES)
    part = sign_part(KEY, info)
    assert part_info(decode(encode(part)[HEADER_BYTES:], part_decoder)) == info


def test_what_a_part_is() -> None:
    init, key, inside = _info(seq=4, init=4), _info(seq=5, group=5), _info(seq=6, group=5)
    assert (init.is_init, init.is_key) == (True, False)
    assert (key.is_init, key.is_key) == (False, True)
    assert (inside.is_init, inside.is_key) == (False, False)


def test_a_lives_id_depends_on_both_keys_and_their_order() -> None:
    one, two = bytes([1]) * 32, bytes([2]) * 32
    assert len({live_id(one, two), live_id(two, one), live_id(one, one)}) == 3
