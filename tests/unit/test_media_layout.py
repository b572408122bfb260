"""Where the index lies, told from a file's outermost boxes."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.media.layout import Layout, layout_of


def box(name: bytes, payload: bytes = b"") -> bytes:
    return (8 + len(payload)).to_bytes(4, "big") + name + payload


def large_box(name: bytes, payload: bytes) -> bytes:
    return (1).to_bytes(4, "big") + name + (16 + len(payload)).to_bytes(8, "big") + payload


def element(identity: bytes, payload: bytes) -> bytes:
    return identity + (0x0100_0000_0000_0000 | len(payload)).to_bytes(8, "big") + payload


EBML, SEGMENT, CLUSTER, CUES = b"\x1aE\xdf\xa3", b"\x18S\x80g", b"\x1fC\xb6u", b"\x1cS\xbbk"
FTYP = box(b"ftyp", b"isom0000")


@pytest.mark.parametrize(
    ("file", "in_front"),
    [
        (FTYP + box(b"moov", b"x" * 50) + box(b"mdat", b"y" * 99), True),
        (FTYP + box(b"free") + box(b"moov") + box(b"mdat"), True),
        (FTYP + box(b"mdat", b"y" * 99) + box(b"moov"), False),
        (FTYP + large_box(b"mdat", b"y" * 99) + box(b"moov"), False),
        (FTYP + box(b"moov") + box(b"moof") + box(b"mdat"), False),
        (FTYP + box(b"moov"), False),
        (FTYP, False),
    ],
)
def test_mp4(file: bytes, in_front: bool) -> None:
    assert layout_of(io.BytesIO(file)) == Layout("mp4", in_front)


@pytest.mark.parametrize("doc_type", [b"webm", b"matroska"])
@pytest.mark.parametrize("in_front", [True, False])
def test_matroska(doc_type: bytes, in_front: bool) -> None:
    header = element(EBML, element(b"\x42\x82", doc_type))
    cues, cluster = element(CUES, b"c" * 20), element(CLUSTER, b"p" * 99)
    body = element(b"\x15I\xa9f", b"i" * 9) + (cues + cluster if in_front else cluster + cues)
    found = layout_of(io.BytesIO(header + element(SEGMENT, body)))
    assert found == Layout(doc_type.decode(), in_front)


def test_a_segment_and_clusters_of_unknown_size_are_those_of_a_live_stream() -> None:
    header = element(EBML, element(b"\x42\x82", b"webm"))
    unknown = b"\x01" + b"\xff" * 7
    file = header + SEGMENT + unknown + CLUSTER + unknown + b"pictures"
    assert layout_of(io.BytesIO(file)) == Layout("webm", False)


@given(
    st.sampled_from([b"", FTYP, element(EBML, element(b"\x42\x82", b"webm")), EBML]),
    st.binary(max_size=400),
)
def test_no_bytes_make_it_fail(beginning: bytes, rest: bytes) -> None:
    assert layout_of(io.BytesIO(beginning + rest)).kind in ("mp4", "webm", "matroska", "other")
