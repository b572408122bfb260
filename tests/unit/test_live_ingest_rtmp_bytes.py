"""An encoder's bytes become an FLV file once it has named app and key; nothing else does."""

import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import RemoteProtocolError
from headwater.media import live_amf as amf
from headwater.media.live_rtmp import Publisher
from headwater.media.live_rtmp_chunks import ChunkReader, Message, write_message

HELLO = b"\3" + bytes(1536) + bytes(1536)
CONNECT = write_message(
    3, 20, amf.encode("connect", 1.0, {"app": "live", "tcUrl": "rtmp://h/live"})
)
CREATE = write_message(3, 20, amf.encode("createStream", 2.0, None))


def publish(key: str) -> bytes:
    return write_message(8, 20, amf.encode("publish", 3.0, None, key, "live"), of_stream=1)


def media(kind: int, payload: bytes) -> bytes:
    return write_message(4 if kind == 8 else 6, kind, payload, of_stream=1)


SESSION = (
    HELLO
    + CONNECT
    + CREATE
    + publish("secret?user=x")
    + media(8, b"\xaf\0\x11\x90")
    + media(9, b"\x17" + bytes(500))
)


@given(cuts=st.lists(st.integers(0, len(SESSION)), max_size=12))
def test_it_becomes_flv_however_the_bytes_arrive(cuts: list[int]) -> None:
    session = Publisher("live", "secret")
    marks = sorted({0, len(SESSION), *cuts})
    for start, end in pairwise(marks):
        session.feed(SESSION[start:end])
    assert session.is_publishing and not session.refusal and not session.is_over
    header, body = session.flv[:13], session.flv[13:]
    assert header == b"FLV\1\5" + struct.pack(">II", 9, 0)
    assert body[0] == 8 and body[11:15] == b"\xaf\0\x11\x90"
    video = body[11 + 4 + 4 :]
    assert video[0] == 9 and int.from_bytes(video[1:4], "big") == 501
    assert b"NetStream.Publish.Start" in session.out


@pytest.mark.parametrize("key", ["", "Secret", "secret2", "secre"])
def test_a_wrong_key_is_refused_and_nothing_gets_through(key: str) -> None:
    session = Publisher("live", "secret")
    session.feed(HELLO + CONNECT + CREATE + publish(key) + media(9, b"\x17picture"))
    assert session.is_over and "wrong key" in session.refusal
    assert not session.flv and not session.is_publishing
    assert b"NetStream.Publish.BadName" in session.out


def test_pictures_before_the_key_are_ignored_and_large_ones_end_it() -> None:
    session = Publisher("live", "secret")
    session.feed(HELLO + CONNECT + media(9, b"\x17picture"))
    assert not session.flv
    with pytest.raises(RemoteProtocolError, match="too large"):
        session.feed(media(9, bytes(100_000)))


def test_another_app_is_refused() -> None:
    session = Publisher("live", "secret")
    session.feed(HELLO + write_message(3, 20, amf.encode("connect", 1.0, {"app": "vod"})))
    assert session.is_over and "'vod'" in session.refusal


def test_what_the_encoder_says_it_has_is_in_the_header() -> None:
    session = Publisher("live", "secret")
    told: amf.Value = {"videocodecid": 7.0, "width": 1280.0}
    session.feed(HELLO + CONNECT + publish("secret"))
    session.feed(write_message(4, 18, amf.encode("@setDataFrame", "onMetaData", told)))
    assert session.flv[4] == 1, "no sound"


def test_its_end_and_a_ping() -> None:
    session = Publisher("live", "secret")
    session.feed(HELLO + CONNECT + publish("secret"))
    session.out.clear()
    session.feed(write_message(2, 4, b"\0\6time"))
    assert b"\0\7time" in session.out
    session.feed(write_message(3, 20, amf.encode("deleteStream", 5.0, None, 1.0)))
    assert session.is_over


@given(raw=st.binary(max_size=4000))
def test_garbage_after_the_handshake_is_refused_or_waited_out(raw: bytes) -> None:
    session = Publisher("live", "secret")
    session.feed(HELLO)
    try:
        session.feed(raw)
    except RemoteProtocolError:
        return
    assert not session.flv


@given(raw=st.binary(max_size=200))
def test_commands_of_garbage(raw: bytes) -> None:
    with suppress(RemoteProtocolError):
        amf.decode(raw)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(values=st.lists(VALUES, max_size=5))
def test_commands_read_back(values: list[amf.Value]) -> None:
    assert amf.decode(amf.encode(*values)) == values


def test_a_command_that_nests_too_deep_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="too large"):
        amf.decode(b"\3\0\1a" * 50)


def header(form: int, stream: int, time: int, length: int = 0, kind: int = 0) -> bytes:
    raw = bytes((form << 6 | stream,))
    if form < 3:
        raw += min(time, 0xFFFFFF).to_bytes(3, "big")
    if form < 2:
        raw += length.to_bytes(3, "big") + bytes((kind,))
    if form == 0:
        raw += bytes(4)
    if time >= 0xFFFFFF:
        raw += time.to_bytes(4, "big")
    return raw


def test_times_are_told_as_differences_and_may_be_long() -> None:
    reader = ChunkReader(10_000)
    raw = (
        header(0, 4, 1000, 2, 8)
        + b"aa"
        + header(1, 4, 20, 3, 8)
        + b"bbb"
        + header(2, 4, 21)
        + b"ccc"
        + header(3, 4, 0)
        + b"ddd"
        + header(0, 6, 0x01000000, 130, 9)
        + bytes(128)
        + b"\xc6\x01\0\0\0"
        + bytes(2)
    )
    found = list(reader.feed(raw))
    assert [(m.time_ms, len(m.payload)) for m in found] == [
        (1000, 2),
        (1020, 3),
        (1041, 3),
        (1062, 3),
        (0x01000000, 130),
    ]


def test_messages_of_two_streams_may_be_woven_and_chunks_grow() -> None:
    reader = ChunkReader(10_000)
    grown = header(0, 2, 0, 4, 1) + (1000).to_bytes(4, "big")
    woven = header(0, 4, 5, 200, 8) + bytes(128) + header(0, 6, 6, 1, 9) + b"v"
    rest = b"\xc4" + bytes(72) + grown + header(0, 4, 9, 900, 8) + bytes(900)
    found = list(reader.feed(woven + rest))
    assert found == [Message(9, 6, b"v"), Message(8, 5, bytes(200)), Message(8, 9, bytes(900))]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xc4" + bytes(200),
        header(0, 4, 0, 20_000, 9) + bytes(128),
        header(0, 2, 0, 4, 1) + bytes(4) + bytes(20),
        b"".join(header(0, n, 0, 200, 9) + bytes(128) for n in range(3, 45)),
        header(0, 4, 0, 200, 9) + bytes(128) + header(0, 4, 0, 200, 9) + bytes(128),
    ],
    ids=["never begun", "too large", "no chunk size", "too many", "within another"],
)
def test_what_breaks_the_rules_is_refused(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        list(ChunkReader(10_000).feed(raw))
