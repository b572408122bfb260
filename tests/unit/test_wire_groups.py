"""Where groups lie in a recording: told once by who made it, believed only when it can be."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_strategies import anything_packed

from headwater.errors import RemoteProtocolError
from headwater.wire.groups import (
    LEAST_US,
    MAX_GROUPS,
    Group,
    groups_of,
    pack_groups,
    parse_groups,
)
from headwater.wire.live import PartInfo

STEP_US = 100_000


def _parts(kinds: str, sizes: list[int]) -> list[PartInfo]:
    """`i` an init, `k` a keyframe, `.` any other; each of the next size."""
    parts: list[PartInfo] = []
    group = init = shown = 0
    for seq, kind in enumerate(kinds):
        init = seq if kind == "i" else init
        group = seq if kind in "ik" else group
        duration_us = 0 if kind == "i" else STEP_US
        parts.append(
            PartInfo(
                *(bytes(32), 0, seq, group, init, shown * STEP_US, duration_us, 0),
                *(sizes[seq % len(sizes)], bytes(32)),
            )
        )
        shown += kind != "i"
    return parts


def test_a_group_begins_with_a_keyframe_and_lasts_to_the_next() -> None:
    second = "k" + "." * 9
    groups = groups_of(_parts("i" + second + second + "i" + second, [10]))
    assert groups == [
        Group(0, 0, 10, 0, 0),
        Group(1, 10, 100, 0, LEAST_US),
        Group(11, 110, 100, LEAST_US, LEAST_US),
        Group(21, 210, 10, 2 * LEAST_US, 0),
        Group(22, 220, 100, 2 * LEAST_US, LEAST_US),
    ]


def test_short_groups_are_told_together() -> None:
    groups = groups_of(_parts("i" + "k" * 25, [10]))
    assert [group.duration_us for group in groups] == [0, LEAST_US, LEAST_US, LEAST_US // 2]


@given(
    kinds=st.text("ik.", max_size=60).map(lambda rest: "ik" + rest),
    sizes=st.lists(st.integers(1, 9999), min_size=1, max_size=9),
)
def test_what_is_told_covers_the_file_and_reads_back(kinds: str, sizes: list[int]) -> None:
    parts = _parts(kinds, sizes)
    groups = groups_of(parts)
    total = sum(part.size_bytes for part in parts)
    assert sum(group.size_bytes for group in groups) == total
    assert parse_groups(pack_groups(groups), total) == groups
    offsets = {part.seq: sum(p.size_bytes for p in parts[: part.seq]) for part in parts}
    assert all(group.offset == offsets[group.seq] for group in groups)


@given(st.binary(max_size=200) | anything_packed())
def test_garbage_is_refused(blob: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_groups(blob, 12345)


@pytest.mark.parametrize(
    "groups",
    [
        [Group(0, 1, 9, 0, 0)],
        [Group(0, 0, 4, 0, 0), Group(1, 5, 5, 0, 1)],
        [Group(0, 0, 5, 0, 0), Group(1, 5, 6, 0, 1)],
        [Group(0, 0, 5, 9, 0), Group(1, 5, 5, 0, 1)],
        [Group(1, 0, 5, 0, 0), Group(1, 5, 5, 0, 1)],
    ],
)
def test_groups_that_cannot_be_are_refused(groups: list[Group]) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_groups(msgspec.msgpack.encode(groups), 10)


def test_more_than_can_be_told_are_not() -> None:
    group = Group(0, 0, 1, 0, 0)
    assert pack_groups([group] * (MAX_GROUPS + 1)) == b""
    too_many = msgspec.msgpack.encode([group] * (MAX_GROUPS + 1))
    with pytest.raises(RemoteProtocolError, match="malformed"):
        parse_groups(too_many, MAX_GROUPS + 1)
