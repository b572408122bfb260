"""What an encoder yields becomes parts that everybody can check and play."""

from dataclasses import dataclass, replace
from itertools import chain

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from headwater.live.signing import Signer
from headwater.overlay.slicing import LEAST_BYTES
from headwater.wire.frames import HEADER_BYTES, decode
from headwater.wire.ids import LiveId
from headwater.wire.live import (
    MAX_PART_BYTES,
    check_payload,
    check_signature,
    part_decoder,
    part_info,
)

STRIPES = 4
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
    duration_us=st.integers(-1, 2**33),
    payload=st.binary(max_size=20) | st.integers(0, 5 * LEAST_BYTES).map(bytes),
)


@given(st.lists(anything, max_size=40))
def test_whatever_comes_the_parts_are_consistent_and_signed(made: list[Made]) -> None:
    signer = Signer(KEY, LIVE, STRIPES)
    fragments = [signer.sign(each) for each in made]
    parts = list(chain.from_iterable(fragments))
    assert signer.parts == len(parts)
    assert signer.unusable == fragments.count([])
    for each, cut in zip(made, fragments, strict=True):
        assert not cut or b"".join(part.payload for part in cut) == each.payload
        assert [part.info.more for part in cut] == list(reversed(range(len(cut))))
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
        assert info.is_init or parts[info.group].info.is_key
        assert info.pts_us >= pts_us
        pts_us = info.pts_us


def test_nothing_goes_out_before_an_init_and_a_keyframe() -> None:
    signer = Signer(KEY, LIVE, STRIPES)
    assert not signer.sign(KEYFRAME)
    assert signer.sign(INIT)
    assert not signer.sign(INSIDE)
    assert signer.sign(KEYFRAME)
    assert signer.sign(INSIDE)
    assert (signer.parts, signer.unusable) == (3, 2)


def test_what_builds_on_a_part_that_is_too_large_is_left_out() -> None:
    signer = Signer(KEY, LIVE, STRIPES)
    large = Made(is_key=True, payload=bytes(MAX_PART_BYTES + 1))
    made = [signer.sign(made) for made in (INIT, KEYFRAME, large, INSIDE, KEYFRAME, INSIDE)]
    assert [[part.seq for part in parts] for parts in made] == [[0], [1], [], [], [2], [3]]


def test_a_large_keyframe_is_a_part_for_each_stripe() -> None:
    signer = Signer(KEY, LIVE, STRIPES)
    payload = bytes(range(256)) * (5 * LEAST_BYTES // 256)
    for made in (INIT, KEYFRAME, INSIDE):
        signer.sign(made)
    key = signer.sign(replace(KEYFRAME, pts_us=700, payload=payload))
    infos = [part.info for part in key]
    assert [(info.seq, info.group, info.more) for info in infos] == [
        (3, 3, 3),
        (4, 3, 2),
        (5, 3, 1),
        (6, 3, 0),
    ]
    assert [info.is_key for info in infos] == [True, False, False, False]
    assert {(info.pts_us, info.duration_us, info.capture_us) for info in infos} == {(700, 100, 1)}
    assert b"".join(part.payload for part in key) == payload
    assert [part.info.group for part in signer.sign(INSIDE)] == [3]
