"""What an encoder yields becomes parts that everybody can check and play."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from headwater.live.signing import Signer
from headwater.wire.frames import HEADER_BYTES, decode
from headwater.wire.ids import LiveId
from headwater.wire.live import (
    MAX_PART_BYTES,
    check_payload,
    check_signature,
    part_decoder,
    part_info,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LIVE = LiveId(bytes(range(32)))


@dataclass(frozen=True)
class Made:
    is_init: bool = False
    is_key: bool = False
    pts_us: int = 0
    duration_us: int = 100
    capture_us: int = 1
    payload: bytes = b"payload"


INIT, KEYFRAME, INSIDE = Made(is_init=True), Made(is_key=True), Made()
anything = st.builds(
    Made,
    is_init=st.booleans(),
    is_key=st.booleans(),
    pts_us=st.integers(0, 2**40),
    payload=st.binary(max_size=20),
)


@given(st.lists(anything, max_size=40))
def test_whatever_comes_the_parts_are_consistent_and_signed(made: list[Made]) -> None:
    signer = Signer(KEY, LIVE)
    parts = [part for part in map(signer.sign, made) if part is not None]
    assert signer.parts == len(parts)
    assert signer.unusable == len(made) - len(parts)
    epoch = pts_us = -1
    for seq, part in enumerate(parts):
        info = part.info
        travelled = decode(part.head[HEADER_BYTES:], part_decoder)
        check_signature(KEY.public_key().public_bytes_raw(), travelled)
        check_payload(info, part.payload)
        assert part_info(travelled) == info
        epoch += info.is_init
        assert (info.live, info.seq, info.epoch) == (LIVE, seq, epoch)
        assert parts[info.init].info.is_init
        assert info.is_init or parts[info.group].info.is_key or info.group == seq
        assert info.pts_us >= pts_us
        pts_us = info.pts_us


def test_nothing_goes_out_before_an_init_and_a_keyframe() -> None:
    signer = Signer(KEY, LIVE)
    assert signer.sign(KEYFRAME) is None
    assert signer.sign(INIT) is not None
    assert signer.sign(INSIDE) is None
    assert signer.sign(KEYFRAME) is not None
    assert signer.sign(INSIDE) is not None
    assert (signer.parts, signer.unusable) == (3, 2)


def test_what_builds_on_a_part_that_is_too_large_is_left_out() -> None:
    signer = Signer(KEY, LIVE)
    large = Made(is_key=True, payload=bytes(MAX_PART_BYTES + 1))
    seqs = [signer.sign(made) for made in (INIT, KEYFRAME, large, INSIDE, KEYFRAME, INSIDE)]
    assert [part.seq if part else None for part in seqs] == [0, 1, None, None, 2, 3]
