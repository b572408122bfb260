"""What goes over a live's WebSocket, and what a player may ask for."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import LocalUsageError
from headwater.web.gateway.live_frames import (
    HEADER_BYTES,
    MAX_BACK_S,
    header,
    parse_start,
    parse_until,
    text,
)
from headwater.wire.live import MAX_DURATION_US, MAX_STRIPES, PartInfo


@given(
    seq=st.integers(0, 2**40),
    pts_us=st.integers(0, 2**53),
    duration_us=st.integers(0, MAX_DURATION_US),
    kind=st.sampled_from(["init", "key", "other"]),
    more=st.integers(0, MAX_STRIPES - 1),
)
def test_a_header_tells_number_times_and_kind(
    seq: int, pts_us: int, duration_us: int, kind: str, more: int
) -> None:
    before = max(0, seq - 1)
    group, init = {"init": (seq, seq), "key": (seq, -1), "other": (before, before)}[kind]
    info = PartInfo(
        live=bytes(32),
        epoch=3,
        seq=seq,
        group=group,
        init=init,
        pts_us=pts_us,
        duration_us=duration_us,
        capture_us=1_700_000_000_000_000,
        size_bytes=1,
        sha256=bytes(32),
        more=more,
    )
    raw = header(info)
    assert len(raw) == HEADER_BYTES == 32
    found = struct.unpack(">QQQIBB2x", raw)
    assert found == (
        *(seq, pts_us, 1_700_000_000_000_000, duration_us),
        *(info.is_init + 2 * info.is_key, more),
    )


def test_where_a_player_may_begin() -> None:
    assert parse_start("edge") == "edge"
    assert parse_start("42") == 42
    start = parse_start("-12.5")
    assert start == -12.5 and isinstance(start, float)
    assert isinstance(parse_start("-12"), float)  # seconds, not a number of a part
    assert parse_start("-1e300") == parse_start("-nan") == parse_start("-inf") == -MAX_BACK_S


@given(st.text(max_size=50))
def test_nonsense_is_a_sentence(asked: str) -> None:
    try:
        start = parse_start(asked)
    except LocalUsageError:
        return
    assert start == "edge" or isinstance(start, int) or -MAX_BACK_S <= start <= 0


def test_how_far_a_player_wants_parts() -> None:
    assert parse_until('{"until_us": 1500000}') == 1_500_000
    assert parse_until(b'{"until_us": null}') is None
    for nonsense in ("", "[]", '{"until_us": "x"}', "{}", b"\xff"):
        with pytest.raises(LocalUsageError):
            parse_until(nonsense)


def test_what_is_told_is_json_with_its_type() -> None:
    assert json.loads(text("gap", next=7)) == {"type": "gap", "next": 7}
