"""The playlist of a recorded live: byte ranges into its file, which has no index. Pure.
Source: RFC 8216."""

import math
from collections.abc import Sequence
from itertools import zip_longest

from headwater.wire.groups import Group

__all__ = ["recording_playlist"]

LEAST_HOLE_US = 500_000
"""Longer holes are told to players as what they are; they step over shorter ones."""


def recording_playlist(groups: Sequence[Group], file: str) -> str:
    """Of the file at that address. Shape: a segment a group, a map an init."""
    lines: list[str] = []
    longest_s, expected_us, is_first = 1.0, None, True
    for group, after in zip_longest(groups, groups[1:]):
        if group.is_init:
            if not is_first:
                lines.append("#EXT-X-DISCONTINUITY")
            lines.append(f'#EXT-X-MAP:URI="{file}",BYTERANGE="{_stretch(group)}"')
            is_first, expected_us = False, None
            continue
        if expected_us is not None and group.pts_us - expected_us > LEAST_HOLE_US:
            lines.append("#EXT-X-DISCONTINUITY")
        expected_us = group.pts_us + group.duration_us
        length_s = _length_us(group, after) / 1e6
        longest_s = max(longest_s, length_s)
        lines += [f"#EXTINF:{length_s:.6f},", f"#EXT-X-BYTERANGE:{_stretch(group)}", file]
    head = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{math.ceil(longest_s)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    return "\n".join([*head, *lines, "#EXT-X-ENDLIST", ""])


def _stretch(group: Group) -> str:
    return f"{group.size_bytes}@{group.offset}"


def _length_us(group: Group, after: Group | None) -> int:
    """Up to the next group where that follows, so that the sum stays with the clock."""
    if after is None or after.is_init:
        return group.duration_us
    until_next = after.pts_us - group.pts_us
    is_hole = until_next - group.duration_us > LEAST_HOLE_US
    return group.duration_us if is_hole or until_next <= 0 else until_next
