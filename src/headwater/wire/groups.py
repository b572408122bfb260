"""Where the groups of a recording lie: a blob that its VideoEntry names. Pure."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from headwater.errors import RemoteProtocolError
from headwater.wire.frames import MALFORMED
from headwater.wire.live import PartInfo, Seq

__all__ = ["LEAST_US", "MAX_GROUPS", "Group", "groups_of", "pack_groups", "parse_groups"]

MAX_GROUPS = 131_072
"""36 hours of a group a second; their blob takes 3 MB."""
LEAST_US = 1_000_000
"""Shorter groups of pictures are told together."""


class Group(Struct, frozen=True, array_like=True):
    """Some groups of pictures in a row, or an init."""

    seq: Seq
    """Of the keyframe part that it begins with, or of the init."""
    offset: Annotated[int, Meta(ge=0, le=2**50)]
    size_bytes: Annotated[int, Meta(ge=1, le=2**50)]
    pts_us: Annotated[int, Meta(ge=0, le=2**53)]
    """When its first picture is shown."""
    duration_us: Annotated[int, Meta(ge=0, le=2**53)]
    """0: this is an init, which the groups up to the next init need."""

    @property
    def is_init(self) -> bool:
        return self.duration_us == 0


_decoder = msgspec.msgpack.Decoder(Annotated[list[Group], Meta(max_length=MAX_GROUPS)])


def groups_of(parts: Iterable[PartInfo]) -> list[Group]:
    """Of a file that holds these parts, one after the other."""
    groups: list[Group] = []
    offset = 0
    for info in parts:
        last = groups[-1] if groups else None
        if info.is_init:
            groups.append(Group(info.seq, offset, info.size_bytes, info.pts_us, 0))
        elif last is None or last.is_init or (info.is_key and last.duration_us >= LEAST_US):
            duration_us = max(1, info.duration_us)
            groups.append(Group(info.seq, offset, info.size_bytes, info.pts_us, duration_us))
        else:
            size_bytes = last.size_bytes + info.size_bytes
            duration_us = max(last.duration_us, info.pts_us + info.duration_us - last.pts_us)
            groups[-1] = Group(last.seq, last.offset, size_bytes, last.pts_us, duration_us)
        offset += info.size_bytes
    return groups


def pack_groups(groups: list[Group]) -> bytes:
    """The blob; empty when there are more than MAX_GROUPS."""
    return msgspec.msgpack.encode(groups) if len(groups) <= MAX_GROUPS else b""


def parse_groups(blob: bytes, size_bytes: int) -> list[Group]:
    """Of a file of that size. Raises: RemoteProtocolError when they cannot be."""
    try:
        groups: list[Group] = _decoder.decode(blob)
    except MALFORMED as error:
        raise RemoteProtocolError(f"the groups of a recording are malformed: {error}") from error
    end = 0
    for group in groups:
        if group.offset != end:
            raise RemoteProtocolError("the groups of a recording do not follow each other")
        end += group.size_bytes
    if end != size_bytes or any(b.pts_us < a.pts_us or b.seq <= a.seq for a, b in pairwise(groups)):
        raise RemoteProtocolError("the groups of a recording are not those of its file")
    return groups
