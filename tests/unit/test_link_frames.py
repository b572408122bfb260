"""Frames out of a stream that is cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import RemoteProtocolError
from headwater.link.frames import FrameAssembler
from headwater.wire.frames import MAX_FRAME_BYTES

bodies = st.lists(st.binary(max_size=300), max_size=20)


def framed(bodies: list[bytes]) -> bytes:
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)


@given(bodies=bodies, cuts=st.lists(st.integers(1, 500), min_size=1))
def test_every_cut_gives_the_same_frames(bodies: list[bytes], cuts: list[int]) -> None:
    assembler, stream, at = FrameAssembler(), framed(bodies), 0
    found: list[bytes] = []
    while at < len(stream):
        size = cuts[len(found) % len(cuts)]
        found += assembler.feed(stream[at : at + size])
        at += size
    assert found == bodies


@given(bodies)
def test_byte_by_byte(bodies: list[bytes]) -> None:
    assembler = FrameAssembler()
    stream = framed(bodies)
    assert [b for i in range(len(stream)) for b in assembler.feed(stream[i : i + 1])] == bodies


def test_the_largest_frame_fits_and_one_byte_more_does_not() -> None:
    largest = bytes(MAX_FRAME_BYTES)
    assert FrameAssembler().feed(framed([largest, b"x"])) == [largest, b"x"]
    with pytest.raises(RemoteProtocolError):
        FrameAssembler().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))


@given(st.binary(max_size=2000))
def test_garbage_is_frames_or_an_error(garbage: bytes) -> None:
    try:
        found = FrameAssembler().feed(garbage)
    except RemoteProtocolError:
        return
    assert framed(found) == garbage[: len(framed(found))]
